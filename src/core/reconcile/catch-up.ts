import type { LogMark } from "../../model/change.ts";
import type { Epoch } from "../../model/ids.ts";
import type { Position } from "../../model/position.ts";

/** Both sides of the comparison. Ask our own side first: the owner may only have moved ahead. */
export interface MoveInput {
  readonly own: {
    readonly position: Position;
    /** Our log holds the entries above this seq. */
    readonly base: number;
    /** Highest epoch that our index has seen. */
    readonly epoch: Epoch;
    /** Our entry at our own seq; null when our log is empty: at the start, or after a restore. */
    readonly last: LogMark | null;
  };
  readonly owner: {
    readonly position: Position;
    /** Its log holds the entries above this seq. */
    readonly base: number;
    /** Epoch of the ownership, as the store holds it: an owner may not have written yet. */
    readonly epoch: Epoch;
    /** The owner's entry at our seq; null when its log does not hold it, or our seq is 0. */
    readonly atOurSeq: LogMark | null;
  };
}

export type Move =
  | { readonly move: "level" }
  /** Apply the owner's entries after this seq. */
  | { readonly move: "pull"; readonly after: number }
  /** Take back our entries above `to`; `search`: above what `findCommon` finds. */
  | { readonly move: "rewind"; readonly to: number | "search" }
  /**
   * No log leads from here to the owner's records: they are to be replaced by a snapshot's. `aside`:
   * our entries may be ours alone, and are to be taken back, and so kept as orphans, before.
   */
  | { readonly move: "restore"; readonly because: string; readonly aside: boolean }
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
 * 5. A log may begin above a snapshot: what is below its base is gone, and nothing there can be
 *    compared. At the base itself the set digests speak, or the next entry's `digestAfter`. Where
 *    neither side's log leads to the other, a restore does, which is compared by its own digests.
 *
 * It refuses where going on would spread a fault: a stale owner's word, an owner that lost entries
 * it gave away itself, or a log that contradicts its own records.
 */
export function nextMove({ own, owner }: MoveInput): Move {
  const seq = own.position.seq;
  if (!isWhole(own)) return refuse(`our own log and records disagree at seq ${seq}`);
  if (owner.epoch < own.epoch) {
    return refuse(`its epoch ${owner.epoch} is below ${own.epoch}, which our index has seen`);
  }
  if (seq < owner.base) {
    return restore(own, owner, `its log begins above ${owner.base}, and ours ends at ${seq}`);
  }
  if (owner.position.seq < seq) return towardsShorter(own, owner);
  if (seq === 0) return pullOrLevel(own.position, owner.position);
  if (owner.atOurSeq === null) return fromItsBase(own, owner);
  if (!isSame(own, owner.atOurSeq)) return backFrom(seq - 1, own, owner);
  return pullOrLevel(own.position, owner.position);
}

function isWhole({ position, base, last }: MoveInput["own"]): boolean {
  if (last === null) return position.seq === base;
  return last.seq === position.seq && last.digestAfter === position.digest;
}

/**
 * The owner has fewer entries than we do. Under an ownership newer than our last entry these were
 * never replicated to it: orphans. Under the same ownership the owner wrote them itself and has
 * lost them, and following it would destroy the last copy that serves them.
 */
function towardsShorter(own: MoveInput["own"], owner: MoveInput["owner"]): Move {
  const { last } = own;
  const { seq } = owner.position;
  // Our records came from a snapshot of what the owner does not have.
  if (last === null) return restore(own, owner, `it ends at seq ${seq}, below our snapshot`);
  if (owner.epoch > last.epoch) return backFrom(seq, own, owner);
  return refuse(
    `it ends at seq ${seq} but wrote our entry ${last.seq} itself (epoch ${last.epoch}): it has lost entries`,
  );
}

/** Its log begins right above our seq: the records are compared, or else by what comes next. */
function fromItsBase(own: MoveInput["own"], owner: MoveInput["owner"]): Move {
  const { seq, digest } = own.position;
  const { position, base } = owner;
  if (seq !== base) return refuse(`it says seq ${position.seq} but has no entry at ${seq}`);
  if (position.seq > base) return { move: "pull", after: base };
  if (position.digest === digest) return { move: "level" };
  return restore(own, owner, `its log begins above seq ${base}, with other records than ours`);
}

function pullOrLevel(own: Position, owner: Position): Move {
  if (owner.seq > own.seq) return { move: "pull", after: own.seq };
  // Reached only with equal last entries (or two empty logs), so unequal records are damage there.
  if (owner.digest === own.digest) return { move: "level" };
  return refuse(`its records disagree with its own log at seq ${owner.seq}`);
}

/** After a restore there is no entry of ours: then the contents alone are compared. */
function isSame({ position, last }: MoveInput["own"], theirs: LogMark): boolean {
  return last === null ? theirs.digestAfter === position.digest : sameMark(last, theirs);
}

/** Nothing above `upTo` is common. Below a base nobody can say what is. */
function backFrom(upTo: number, own: MoveInput["own"], owner: MoveInput["owner"]): Move {
  if (upTo < own.base) {
    return restore(own, owner, `our log begins above ${own.base}, and the records there differ`);
  }
  // No question is worth asking when nothing above the bases can be common.
  const floor = Math.max(own.base, owner.base);
  return { move: "rewind", to: upTo <= floor ? upTo : "search" };
}

function restore({ last }: MoveInput["own"], { epoch }: MoveInput["owner"], fault: string): Move {
  // What the present owner wrote itself it has. Of what came before, it may have missed the end.
  const aside = last !== null && last.epoch < epoch;
  return { move: "restore", because: `no log leads to the owner: ${fault}`, aside };
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
 * pair at it through `next(pair)`, and returns the common seq (`floor`: nothing above it is common).
 *
 * `upTo`: the shorter log's seq; `floor`: the higher of both bases. It gallops down from `upTo`,
 * since the tail that a dead region did not get out is short while the log may be long: about
 * 2·log2(tail) questions, each a round trip.
 */
export function* findCommon(upTo: number, floor = 0): Generator<number, number, MarkPair> {
  let agreed = floor;
  let disagreed = upTo + 1;
  for (let stride = 1; disagreed > floor + 1; stride *= 2) {
    const seq = Math.max(floor + 1, disagreed - stride);
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
