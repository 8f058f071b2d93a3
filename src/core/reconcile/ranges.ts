import { LEAF_BITS, type RangeRef, type RangeSum, type RecordMark } from "../../model/record.ts";
import { markPrint, type RangePrint, rangePrint } from "./prints.ts";

/** What the comparison wants to see next. All but `own` is a round trip to the owner. */
export type RangeQuestion =
  /** The 2^`split` parts of each range, of both sides. All ranges have equal bits. */
  | { readonly ask: "sums"; readonly ranges: readonly RangeRef[]; readonly split: number }
  /** Our own records of these ranges. */
  | { readonly ask: "own"; readonly ranges: readonly RangeRef[] }
  /** The owner's records of these ranges by print, without the first `skip` ones of the first. */
  | { readonly ask: "marks"; readonly ranges: readonly RangeRef[]; readonly skip: number }
  /** The owner's records with these prints: whoever repairs answers with whole records. */
  | { readonly ask: "named"; readonly wanted: readonly WantedPrints[] };

export interface WantedPrints extends RangeRef {
  readonly prints: readonly string[];
}

export type RangeAnswer =
  | {
      readonly ask: "sums";
      readonly own: readonly RangeSum[];
      readonly owner: readonly RangePrint[];
    }
  | { readonly ask: "own"; readonly marks: readonly (readonly RecordMark[])[] }
  /** Of the first ranges asked for, as many as fit; at least one record. */
  | { readonly ask: "marks"; readonly ranges: readonly MarkPrints[] }
  /** As many as fit, at least one. */
  | { readonly ask: "named"; readonly marks: readonly RecordMark[] };

export interface MarkPrints {
  readonly prints: readonly string[];
  /** There are more in this range: ask again behind these. */
  readonly cut: boolean;
}

/** What has to be done to our copy to make it the owner's. */
export interface Difference {
  /** The owner's records that ours lacks or has otherwise. */
  readonly put: readonly RecordMark[];
  /** Ids that only we have. */
  readonly drop: readonly string[];
  /** Round trips. */
  readonly rounds: number;
  /** Records that differ: all of them, or more than `most`, and then none is named. */
  readonly differing: number;
  readonly complete: boolean;
}

export interface RangeInput {
  /** New in each session: see prints.ts. */
  readonly nonce: Uint8Array;
  /** Records that we hold, about. */
  readonly count: number;
  /** Ends as soon as more differ than this: a restore is then the cheaper cure. */
  readonly most: number;
  /** Ranges of few records that are suspected already: listed at once, and nothing else is. */
  readonly leaves?: readonly RangeRef[];
}

/** A range of at most so many records is listed: splitting it further would cost more. */
const LISTED = 24;
/** Parts asked for at once while few ranges differ: about 5 KB. */
const PARTS = 512;
const MOST_SPLIT = 8;
const LEAST_SPLIT = 4;
/** Records asked for by name in one question. */
const NAMED = 1_000;

const ROOT: RangeRef = { prefix: 0, bits: 0 };

/**
 * Finds what differs between our copy and the owner's at an equal position. Yields what it wants to
 * see and takes the answer through `next(answer)`, so that it knows of no socket.
 *
 * Equal parts are pruned by their prints; unequal ones are split until they are small, then listed
 * by prints of records; at the end only the records that ours lacks are named. With n records and d
 * differences it moves about `d * log16(n)` short prints, in four to five rounds for a million.
 *
 * Exact: a record is in `put` when the owner has it and ours does not have it with that digest, and
 * an id is in `drop` when only we have it. (Two unequal things of one print, once in 2^64, would be
 * taken for equal.)
 */
export function* findDifference(
  input: RangeInput,
): Generator<RangeQuestion, Difference, RangeAnswer> {
  const { listed, rounds, least } = yield* narrow(input);
  if (least > input.most) return tooMany(least, rounds);
  if (listed.length === 0) return { put: [], drop: [], rounds, differing: 0, complete: true };
  const own = expectAnswer(yield { ask: "own", ranges: listed }, "own");
  const found = yield* list(input, listed, own.marks);
  if (found.differing > input.most) return tooMany(found.differing, rounds + found.rounds);
  const named = yield* name(found.wanted);
  const put = named.marks;
  const arriving = new Set(put.map(({ id }) => id));
  const surplus = new Set(found.surplus.map(({ id }) => id));
  const drop = [...surplus].filter((id) => !arriving.has(id));
  const all = rounds + found.rounds + named.rounds;
  return { put, drop, rounds: all, differing: put.length + drop.length, complete: true };
}

function tooMany(differing: number, rounds: number): Difference {
  return { put: [], drop: [], rounds, differing, complete: false };
}

/** Splits what differs until it is small enough to be listed. */
function* narrow({ nonce, count, most, leaves }: RangeInput): Asking<{
  readonly listed: readonly RangeRef[];
  readonly rounds: number;
  /** At least so many records differ, by the counts alone. */
  readonly least: number;
}> {
  if (leaves !== undefined) return { listed: leaves.map(bare), rounds: 0, least: 0 };
  const listed: RangeRef[] = [];
  let open: Differing[] = [{ ...ROOT, most: count, least: 0 }];
  let rounds = 0;
  let least = 0;
  while (open.length > 0 && least <= most) {
    const split = splitFor(open);
    const answer = expectAnswer(yield { ask: "sums", ranges: open.map(bare), split }, "sums");
    rounds += 1;
    const differing = unequal(nonce, answer.own, answer.owner);
    least = differing.reduce((sum, range) => sum + range.least, 0);
    listed.push(...differing.filter(isSmall).map(bare));
    open = differing.filter((range) => !isSmall(range));
  }
  return { listed, rounds, least };
}

type Asking<T> = Generator<RangeQuestion, T, RangeAnswer>;

interface Differing extends RangeRef {
  /** Records of the side that has more. */
  readonly most: number;
  /** By how many the sides' counts differ. */
  readonly least: number;
}

function bare({ prefix, bits }: RangeRef): RangeRef {
  return { prefix, bits };
}

function isSmall({ bits, most }: Differing): boolean {
  return bits >= LEAF_BITS || most <= LISTED;
}

/**
 * Few ranges are split wide, which saves rounds; many narrowly, which saves bytes. None finer than
 * into parts of about a dozen records.
 */
function splitFor(open: readonly Differing[]): number {
  const bits = Math.max(...open.map((range) => range.bits));
  const most = Math.max(...open.map((range) => range.most));
  const useful = Math.max(0, Math.ceil(Math.log2(most / 12)));
  const affordable = Math.floor(Math.log2(PARTS / open.length));
  const wide = Math.min(MOST_SPLIT, Math.max(LEAST_SPLIT, affordable));
  return Math.min(LEAF_BITS - bits, Math.max(1, useful), wide);
}

function unequal(
  nonce: Uint8Array,
  own: readonly RangeSum[],
  owner: readonly RangePrint[],
): Differing[] {
  if (own.length !== owner.length) throw new RangeError("an answer has not the parts asked for");
  return own.flatMap((sum, at) => {
    const ours = rangePrint(nonce, sum);
    const theirs = owner[at];
    if (theirs === undefined || theirs.print === ours.print) return [];
    const { count } = theirs;
    const least = Math.abs(ours.count - count);
    return [{ ...bare(sum), most: Math.max(ours.count, count), least }];
  });
}

interface Listing {
  readonly wanted: readonly WantedPrints[];
  readonly surplus: readonly RecordMark[];
  readonly rounds: number;
  readonly differing: number;
}

/** Compares small ranges record by record. */
function* list(
  { nonce, most }: RangeInput,
  ranges: readonly RangeRef[],
  own: readonly (readonly RecordMark[])[],
): Asking<Listing> {
  const wanted: WantedPrints[] = [];
  const surplus: RecordMark[] = [];
  let rounds = 0;
  let differing = 0;
  let at = 0;
  let heard: string[] = [];
  while (at < ranges.length && differing <= most) {
    const rest = ranges.slice(at);
    const answer = expectAnswer(yield { ask: "marks", ranges: rest, skip: heard.length }, "marks");
    rounds += 1;
    if (answer.ranges.length === 0) throw new RangeError("an answer tells of no range");
    for (const { prints, cut } of answer.ranges) {
      heard.push(...prints);
      if (cut) continue;
      const range = ranges[at] ?? ROOT;
      const { lacking, extra } = compareMarks(nonce, own[at] ?? [], heard);
      if (lacking.length > 0) wanted.push({ ...bare(range), prints: lacking });
      surplus.push(...extra);
      differing += Math.max(lacking.length, extra.length);
      at += 1;
      heard = [];
    }
  }
  return { wanted, surplus, rounds, differing };
}

function compareMarks(nonce: Uint8Array, own: readonly RecordMark[], owner: readonly string[]) {
  const ours = new Map(own.map((mark) => [markPrint(nonce, mark), mark]));
  const theirs = new Set(owner);
  return {
    lacking: [...theirs].filter((print) => !ours.has(print)),
    extra: [...ours].flatMap(([print, mark]) => (theirs.has(print) ? [] : [mark])),
  };
}

function* name(
  wanted: readonly WantedPrints[],
): Asking<{ readonly marks: readonly RecordMark[]; readonly rounds: number }> {
  const marks: RecordMark[] = [];
  let rounds = 0;
  let open = wanted.flatMap(({ prints, ...range }) => prints.map((print) => ({ ...range, print })));
  while (open.length > 0) {
    const asked = open.slice(0, NAMED);
    const answer = expectAnswer(yield { ask: "named", wanted: byRange(asked) }, "named");
    rounds += 1;
    // In the order asked for: what did not fit is at the end, and asked for again.
    if (answer.marks.length === 0) throw new RangeError("an answer names no record");
    marks.push(...answer.marks);
    open = open.slice(answer.marks.length);
  }
  return { marks, rounds };
}

function byRange(open: readonly (RangeRef & { readonly print: string })[]): WantedPrints[] {
  const groups: (RangeRef & { prints: string[] })[] = [];
  for (const { prefix, bits, print } of open) {
    const last = groups.at(-1);
    if (last?.prefix === prefix && last.bits === bits) last.prints.push(print);
    else groups.push({ prefix, bits, prints: [print] });
  }
  return groups;
}

function expectAnswer<A extends RangeAnswer["ask"]>(
  answer: RangeAnswer,
  ask: A,
): Extract<RangeAnswer, { ask: A }> {
  if (isAnswer(answer, ask)) return answer;
  throw new RangeError(`the answer to "${ask}" is one to "${answer.ask}"`);
}

function isAnswer<A extends RangeAnswer["ask"]>(
  answer: RangeAnswer,
  ask: A,
): answer is Extract<RangeAnswer, { ask: A }> {
  return answer.ask === ask;
}
