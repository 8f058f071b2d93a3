import type { StopSignal } from "../../lib/stop.ts";
import type { Position } from "../../model/position.ts";
import type { IndexReader } from "../../ports/index.ts";
import { HEADERS } from "../../wire/headers.ts";
import type { Headers } from "../http/message.ts";
import type { Tools } from "../options.ts";
import { within } from "../within.ts";

/** How often a copy is asked whether it has caught up: soon at first, then at a bearable price. */
const FIRST_STEP_MS = 10;
const LONGEST_STEP_MS = 160;

export type Wanted =
  | { readonly ok: true; readonly seq: number }
  /** What was sent instead of a position. */
  | { readonly ok: false; readonly sent: string };

/**
 * The position of this index that the caller must not be answered before: 0 when none is asked for.
 * `42`, or `handbook=42` with several parted by commas; what is said of other indexes is not ours.
 */
export function wantedPosition(headers: Headers, index: string): Wanted {
  const sent = headers[HEADERS.minPosition] ?? "";
  if (sent.trim() === "") return { ok: true, seq: 0 };
  const wishes = sent.split(",").map((part) => WISH.exec(part.trim())?.groups ?? null);
  if (wishes.some((wish) => wish === null)) return { ok: false, sent };
  const ours = wishes.filter((wish) => wish?.index === undefined || wish.index === index);
  return { ok: true, seq: Math.max(0, ...ours.map((wish) => Number(wish?.seq))) };
}

const WISH = /^(?:(?<index>[a-z][a-z0-9-]*)=)?(?<seq>\d{1,15})$/;

/**
 * The copy's position as soon as it has reached `seq`, or as it is when waiting must end. Throws what
 * the index throws.
 */
export async function reached(
  tools: Pick<Tools, "clock" | "timeouts">,
  store: IndexReader,
  seq: number,
  signal: StopSignal,
): Promise<Position> {
  const { clock, timeouts } = tools;
  const until = clock.monotonic() + timeouts.positionMs;
  for (let step = FIRST_STEP_MS; ; step = Math.min(2 * step, LONGEST_STEP_MS)) {
    const position = await within(clock, timeouts.retrieveMs, store.position());
    const left = until - clock.monotonic();
    if (position.seq >= seq || left <= 0 || signal.aborted) return position;
    await clock.sleep(Math.min(step, left), signal);
  }
}
