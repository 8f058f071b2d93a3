import { messageOf } from "../lib/errors.ts";
import { dial, type Line, type Sent } from "./line.ts";
import type { Asked } from "./request.ts";
import type { Tools } from "./tools.ts";
import { pause } from "./world.ts";

/** Each gateway is asked at most so many times for one answer. */
const MOST_ROUNDS = 3;

/** Wait before the second round, in ms, jittered and doubled for the third. */
const ROUND_WAIT_MS = 500;

/** A gateway that wants to be left alone for longer is not waited for. */
const MOST_WAIT_MS = 10_000;

/** What a gateway's answer comes to. */
export type Verdict<T> = Taken<T> | Move;

interface Taken<T> {
  readonly kind: "take";
  readonly value: T;
}

/** Not this gateway: nothing of its answer was told to the caller. */
export interface Move {
  readonly kind: "move";
  readonly because: string;
  /** The answer to hand on when nobody has a better one. */
  readonly refusal: Response | null;
  /** When this gateway may be asked again, in ms from now; infinite for never. */
  readonly againMs: number;
  /** Whether the gateway itself failed, or only said that it cannot answer this request. */
  readonly blamed: boolean;
  /** Whether it surely did nothing of what was asked: then any request may be sent elsewhere. */
  readonly untouched: boolean;
}

export type Reached<T> =
  | { readonly kind: "taken"; readonly value: T }
  | {
      readonly kind: "nobody";
      readonly refusal: Response | null;
      /** Who was asked and what happened, in words. */
      readonly because: string;
    };

export interface Search<T> {
  readonly asked: Asked;
  readonly sent: Sent;
  /** Asked only when the others were: the gateway whose answer was just cut. */
  readonly last: string | null;
  readonly judge: (line: Line) => Promise<Verdict<T>>;
}

/** How far a search has come. */
interface Progress {
  /** Who was asked, and what happened. */
  readonly tries: string[];
  /** By gateway: the monotonic ms before which it is not asked again. */
  readonly notBefore: Map<string, number>;
  refusal: Response | null;
  /** Nobody may be asked any more. */
  over: boolean;
}

/**
 * Asks one gateway after the other until one gives an answer that is taken. Rejects only with the
 * caller's own abort.
 */
export async function reach<T>(tools: Tools, search: Search<T>): Promise<Reached<T>> {
  const { asked, last } = search;
  const notBefore = new Map(last === null ? [] : [[last, tools.world.now() + 1]]);
  const progress: Progress = { tries: [], notBefore, refusal: null, over: false };
  for (let round = 1; ; round++) {
    const taken = await askEach(tools, search, progress);
    if (taken !== null) return { kind: "taken", value: taken.value };
    const waitMs = nextRoundMs(tools, asked, progress, round);
    if (waitMs === null) break;
    await pause(tools.world, waitMs, asked.signal);
  }
  const { refusal, tries } = progress;
  return { kind: "nobody", refusal, because: tries.join("; ") || "there is no other gateway" };
}

/** Asks every gateway once that may be asked now, in the order of what is known of them. */
async function askEach<T>(
  tools: Tools,
  search: Search<T>,
  progress: Progress,
): Promise<Taken<T> | null> {
  const { asked } = search;
  const tried = new Set(resting(tools, progress.notBefore));
  for (let base = tools.memory.next(tried); base !== null; base = tools.memory.next(tried)) {
    tried.add(base);
    const startedAt = tools.world.now();
    const verdict = await attempt(tools, search, base);
    if (verdict.kind === "take") return verdict;
    const tookMs = Math.round(tools.world.now() - startedAt);
    const { because, againMs, refusal } = verdict;
    progress.tries.push(`${base} (${because}, ${tookMs} ms)`);
    progress.notBefore.set(base, tools.world.now() + againMs);
    progress.refusal = refusal ?? progress.refusal;
    progress.over = !mayGoOn(tools, asked, verdict);
    tools.tell({ kind: "failed", requestId: asked.id, gateway: base, because, tookMs });
    if (progress.over) return null;
  }
  return null;
}

/** What may have been done and must not be done twice is not sent again. */
function mayGoOn({ world }: Tools, asked: Asked, { untouched }: Move): boolean {
  return world.now() < asked.deadline && (asked.repeatable || untouched);
}

function resting(tools: Tools, notBefore: ReadonlyMap<string, number>): string[] {
  const now = tools.world.now();
  return tools.bases.filter((base) => (notBefore.get(base) ?? 0) > now);
}

async function attempt<T>(tools: Tools, search: Search<T>, base: string): Promise<Verdict<T>> {
  const { asked, sent, judge } = search;
  const since = tools.world.now();
  tools.memory.begin(base);
  let line: Line | null = null;
  try {
    line = await dial(tools, asked, base, sent);
    const verdict = await judge(line);
    if (verdict.kind === "move" && verdict.blamed) tools.memory.failed(base, since);
    else tools.memory.answered(base);
    return verdict;
  } catch (error) {
    line?.hangUp(error);
    if (asked.signal.aborted) {
      tools.memory.unsettled(base);
      throw asked.signal.reason;
    }
    // A budget that is used up says nothing of the gateway that was asked last.
    if (tools.world.now() >= asked.deadline) tools.memory.unsettled(base);
    else tools.memory.failed(base, since);
    return moved(inWords(error));
  }
}

/** A fetch says no more than `fetch failed`; why is in its cause. */
export function inWords(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause === undefined ? messageOf(error) : `${messageOf(error)}: ${messageOf(cause)}`;
}

export function moved(because: string, parts: Partial<Move> = {}): Move {
  return {
    kind: "move",
    because,
    refusal: null,
    againMs: 0,
    blamed: true,
    untouched: false,
    ...parts,
  };
}

/** How long to wait before asking again; null when that makes no sense. */
function nextRoundMs(
  { world, bases }: Tools,
  asked: Asked,
  { notBefore, over }: Progress,
  round: number,
): number | null {
  if (over || round >= MOST_ROUNDS) return null;
  const soonestMs = Math.min(...bases.map((base) => notBefore.get(base) ?? 0)) - world.now();
  const backoffMs = ROUND_WAIT_MS * 2 ** (round - 1) * (0.5 + world.random());
  const waitMs = Math.max(backoffMs, soonestMs);
  return waitMs > MOST_WAIT_MS || world.now() + waitMs >= asked.deadline ? null : waitMs;
}
