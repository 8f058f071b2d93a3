import type { StopSignal } from "../../lib/stop.ts";
import type { IndexReader } from "../../ports/index.ts";
import { HEADERS } from "../../wire/headers.ts";
import { markOf, readPosition, type WantedPosition } from "../../wire/position.ts";
import type { Headers } from "../http/message.ts";
import type { Tools } from "../options.ts";
import { within } from "../within.ts";

/** How often a copy is asked whether it has caught up: soon at first, then at a bearable price. */
const FIRST_STEP_MS = 10;
const LONGEST_STEP_MS = 160;

export type Wanted =
  | { readonly ok: true; readonly positions: readonly WantedPosition[] }
  /** What was sent instead of a position. */
  | { readonly ok: false; readonly sent: string };

/**
 * The positions of this index that the caller must not be answered before. A position as it was told
 * (wire/position.ts), or `handbook=` before it; several parted by commas; what is said of other
 * indexes is not ours.
 */
export function wantedPositions(headers: Headers, index: string): Wanted {
  const sent = headers[HEADERS.minPosition] ?? "";
  if (sent.trim() === "") return NONE;
  const positions: WantedPosition[] = [];
  for (const part of sent.split(",")) {
    const { of, word = "" } = WISH.exec(part.trim())?.groups ?? {};
    const position = readPosition(word);
    if (position === null) return { ok: false, sent };
    if (of === undefined || of === index) positions.push(position);
  }
  return { ok: true, positions };
}

const NONE: Wanted = { ok: true, positions: [] };
const WISH = /^(?:(?<of>[a-z][a-z0-9-]*)=)?(?<word>.+)$/;

/** How a copy stands to a position that a caller needs. */
export type Standing =
  | { readonly kind: "reached" }
  /** It has yet to come. */
  | { readonly kind: "behind"; readonly at: number; readonly wanted: number }
  /** The copy holds another change under this number: the one that is meant was lost. */
  | { readonly kind: "lost"; readonly wanted: number }
  /** It is beyond it, and its log does not reach back so far: nothing can be proven. */
  | { readonly kind: "unproven"; readonly wanted: number };

/**
 * The first of the positions that this copy has not reached, or cannot prove to have.
 *
 * Safety argument. A position with a mark is reached only if the index had the contents there that
 * the mark names: the log's own digest at that number says so, and equal digests are equal contents.
 * The number alone would not do: whoever took over after losses writes other changes under it.
 */
export async function standingAt(
  store: IndexReader,
  positions: readonly WantedPosition[],
): Promise<Standing> {
  for (const wanted of positions) {
    const standing = await standingOf(store, wanted);
    if (standing.kind !== "reached") return standing;
  }
  return REACHED;
}

const REACHED: Standing = { kind: "reached" };

async function standingOf(store: IndexReader, wish: WantedPosition): Promise<Standing> {
  const { seq: wanted, epoch, mark } = wish;
  const { seq: at, digest } = await store.position();
  if (at < wanted) return (await isOvertaken(store, at, epoch)) ? lost(wish) : behind(at, wish);
  // Every copy has been empty once.
  if (mark === null || wanted === 0) return REACHED;
  if (at === wanted && markOf(at, digest) === mark) return REACHED;
  const entry = await store.markAt(wanted);
  if (entry === null) return unfound(store, wish);
  if (markOf(wanted, entry.digestAfter) === mark) return REACHED;
  // Written under an older ownership than the one that is meant: a tail that will be taken back.
  return epoch !== null && entry.epoch < epoch ? behind(at, wish) : lost(wish);
}

/** It was forgotten, or taken back since the position was read. */
async function unfound(store: IndexReader, wish: WantedPosition): Promise<Standing> {
  const { seq: at } = await store.position();
  return at < wish.seq ? behind(at, wish) : { kind: "unproven", wanted: wish.seq };
}

/** Whether a later owner goes on from below it: what comes under this number will be another change. */
async function isOvertaken(store: IndexReader, at: number, epoch: number | null): Promise<boolean> {
  if (epoch === null || at === 0) return false;
  const last = await store.markAt(at);
  return last !== null && last.epoch > epoch;
}

function behind(at: number, { seq: wanted }: WantedPosition): Standing {
  return { kind: "behind", at, wanted };
}

function lost({ seq: wanted }: WantedPosition): Standing {
  return { kind: "lost", wanted };
}

/**
 * How the copy stands as soon as it has reached the positions, or when waiting must end. Throws what
 * the index throws.
 */
export async function awaited(
  tools: Pick<Tools, "clock" | "timeouts">,
  store: IndexReader,
  positions: readonly WantedPosition[],
  signal: StopSignal,
): Promise<Standing> {
  const { clock, timeouts } = tools;
  const until = clock.monotonic() + timeouts.positionMs;
  for (let step = FIRST_STEP_MS; ; step = Math.min(2 * step, LONGEST_STEP_MS)) {
    const standing = await within(clock, timeouts.retrieveMs, standingAt(store, positions));
    const left = until - clock.monotonic();
    if (isSettled(standing, positions) || left <= 0 || signal.aborted) return standing;
    await clock.sleep(Math.min(step, left), signal);
  }
}

/** Without the ownership in its word, what looks lost may be a tail of this copy that is taken back. */
function isSettled(standing: Standing, positions: readonly WantedPosition[]): boolean {
  if (standing.kind === "behind") return false;
  if (standing.kind !== "lost") return true;
  return positions.some(({ seq, epoch }) => seq === standing.wanted && epoch !== null);
}
