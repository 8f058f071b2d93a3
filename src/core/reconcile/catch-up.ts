import type { LogEntry } from "../../model/change.ts";
import type { Epoch } from "../../model/ids.ts";
import type { Position } from "../../model/position.ts";

/** What identifies an entry of a log, without its content. */
export type LogMark = Pick<LogEntry, "seq" | "epoch" | "digestAfter">;

/** Both sides of the comparison. Ask our own side first: the owner may only have moved ahead. */
export interface MoveInput {
  readonly own: {
    readonly position: Position;
    /** Highest epoch that our index has seen. */
    readonly epoch: Epoch;
    /** Our entry at our own seq; null when our log is empty. */
    readonly last: LogMark | null;
    /** Our log begins above this seq: 0, or where a restore or a trim began it. Absent: 0. */
    readonly base?: number;
  };
  readonly owner: {
    readonly position: Position;
    /** Epoch of the ownership, as the store holds it: an owner may not have written yet. */
    readonly epoch: Epoch;
    /** The owner's entry at our seq; null when its log does not reach it, or our seq is 0. */
    readonly atOurSeq: LogMark | null;
  };
}

export type Move =
  | { readonly move: "level" }
  /** Apply the owner's entries after this seq. */
  | { readonly move: "pull"; readonly after: number }
  /** Take back our entries above `to`; `search`: above what `findCommon` finds. */
  | { readonly move: "rewind"; readonly to: number | "search" }
  | { readonly move: "refuse"; readonly because: string };

/**
 * What a replica does next to become equal to the owner of its index.
 *
 * Why this is safe (the argument is Raft's log matching):
 * 1. One epoch has one writer, which only appends under it: ownership is given by compare-and-set,
 *    and an index refuses appends under an epoch below the highest it has seen. So (seq, epoch)
 *    names one entry, in every log that holds it.
 * 2. An entry is written or applied only on top of the entry before it. So when two logs agree at
 *    a seq, they agree at all before it; and where they disagree, they disagree at all after it.
 *    One look at our last entry therefore tells whether we are a prefix of the owner's log, and a
 *    binary search finds where we ceased to be.
 * 3. Only entries that the owner's log does not hold are taken back (`rewind` ends at the last
 *    common entry), and the index keeps them as orphans. Nothing that somebody wrote is lost.
 * 4. Contents rest on none of this. `digestAfter` is compared as well, and `apply` checks it with
 *    every entry: even if one epoch had two writers, a replica that becomes level holds the owner's
 *    records. Only the list of orphans could then be short.
 *
 * It refuses where going on would spread a fault: a stale owner's word, an owner that lost entries
 * it gave away itself, or a log that contradicts its own records.
 */
export function nextMove({ own, owner }: MoveInput): Move {
  const seq = own.position.seq;
  if (!isWhole(own)) {
    return refuse(`our own log and records disagree at seq ${seq}`);
  }
  if (owner.epoch < own.epoch) {
    return refuse(`its epoch ${owner.epoch} is below ${own.epoch}, which our index has seen`);
  }
  // `isWhole` let null pass only for an empty log.
  if (own.last === null)
    return seq === 0 ? pullOrLevel(own.position, owner.position) : onBase(own, owner);
  if (owner.position.seq < seq) return towardsShorter(own.last, owner);
  if (owner.atOurSeq === null) {
    return refuse(`it says seq ${owner.position.seq} but has no entry at ${seq}`);
  }
  if (!sameMark(own.last, owner.atOurSeq)) return rewind(seq - 1);
  return pullOrLevel(own.position, owner.position);
}

function isWhole({ position, last, base = 0 }: MoveInput["own"]): boolean {
  if (last === null) return position.seq === base;
  return last.seq === position.seq && last.digestAfter === position.digest;
}

/**
 * We were restored and have no entry of our own since. The snapshot's position is an entry of the
 * log that it was taken of, so its digest must be there at the owner's; nothing of it could be taken
 * back here.
 */
function onBase(
  { position }: MoveInput["own"],
  { position: owner, atOurSeq }: MoveInput["owner"],
): Move {
  const { seq, digest } = position;
  if (owner.seq === seq) return pullOrLevel(position, owner);
  if (owner.seq > seq && atOurSeq?.digestAfter === digest) return { move: "pull", after: seq };
  const fault =
    atOurSeq === null ? `it has no entry at ${seq}` : `its entry ${seq} is another one than ours`;
  return refuse(`${fault}, and our log begins there: restore this copy`);
}

/**
 * The owner has fewer entries than we do. Under an ownership newer than our last entry these were
 * never replicated to it: orphans. Under the same ownership the owner wrote them itself and has
 * lost them, and following it would destroy the last copy that serves them.
 */
function towardsShorter(last: LogMark, owner: MoveInput["owner"]): Move {
  if (owner.epoch > last.epoch) return rewind(owner.position.seq);
  return refuse(
    `it ends at seq ${owner.position.seq} but wrote our entry ${last.seq} itself (epoch ${last.epoch}): it has lost entries`,
  );
}

function pullOrLevel(own: Position, owner: Position): Move {
  if (owner.seq > own.seq) return { move: "pull", after: own.seq };
  // Reached only with equal last entries (or two empty logs), so unequal records are damage there.
  if (owner.digest === own.digest) return { move: "level" };
  return refuse(`its records disagree with its own log at seq ${owner.seq}`);
}

/** No question is worth asking when only the empty log can be common. */
function rewind(upTo: number): Move {
  return { move: "rewind", to: upTo === 0 ? 0 : "search" };
}

function refuse(fault: string): Move {
  return { move: "refuse", because: `not following the owner: ${fault}` };
}

function sameMark(a: LogMark, b: LogMark): boolean {
  return a.seq === b.seq && a.epoch === b.epoch && a.digestAfter === b.digestAfter;
}

/** The entries of both logs at the seq that was asked for; null where a log does not reach it. */
export interface MarkPair {
  readonly own: LogMark | null;
  readonly owner: LogMark | null;
}

/**
 * Finds the last entry that two logs have in common. Yields each seq it wants to see, takes the
 * pair at it through `next(pair)`, and returns the common seq (0: nothing is common).
 *
 * `upTo`: the shorter log's seq. It gallops down from there, since the tail that a dead region did
 * not get out is short while the log may be long: about 2·log2(tail) questions, each a round trip.
 */
export function* findCommon(upTo: number): Generator<number, number, MarkPair> {
  let agreed = 0;
  let disagreed = upTo + 1;
  for (let stride = 1; disagreed > 1; stride *= 2) {
    const seq = Math.max(1, disagreed - stride);
    if (agree(yield seq)) {
      agreed = seq;
      break;
    }
    disagreed = seq;
  }
  // All up to `agreed` is common, nothing from `disagreed` on is: halve what lies between.
  while (disagreed - agreed > 1) {
    const middle = Math.floor((agreed + disagreed) / 2);
    if (agree(yield middle)) agreed = middle;
    else disagreed = middle;
  }
  return agreed;
}

function agree(pair: MarkPair): boolean {
  // A missing entry counts as a disagreement: it makes us take back more, never keep too much.
  return pair.own !== null && pair.owner !== null && sameMark(pair.own, pair.owner);
}
