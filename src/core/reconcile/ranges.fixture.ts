import { randomBytes } from "node:crypto";
import { EMPTY_DIGEST } from "../../model/position.ts";
import type { RangeRef, RangeSum, RecordMark } from "../../model/record.ts";
import { addDigest, rangeBounds, rangeKey } from "./digest.ts";
import { markPrint, rangePrint } from "./prints.ts";
import {
  decodeMarks,
  decodeNames,
  decodeQuestion,
  decodeSums,
  encodeMarks,
  encodeNames,
  encodeQuestion,
  encodeSums,
  type WireQuestion,
} from "./range-wire.ts";
import {
  type Difference,
  findDifference,
  type RangeAnswer,
  type RangeInput,
  type RangeQuestion,
} from "./ranges.ts";

/** A set of marks that answers as an index does, by looking at all of them. */
export class Side {
  readonly #marks: readonly (RecordMark & { readonly key: number })[];

  constructor(marks: readonly RecordMark[], key: (id: string) => number = (id) => rangeKey(id)) {
    this.#marks = marks
      .map((mark) => ({ ...mark, key: key(mark.id) >>> 0 }))
      .sort((a, b) => a.key - b.key);
  }

  get count(): number {
    return this.#marks.length;
  }

  marks(range: RangeRef): RecordMark[] {
    const { from, below } = rangeBounds(range);
    const marks: RecordMark[] = [];
    for (let at = this.#firstFrom(from); at < this.#marks.length; at += 1) {
      const mark = this.#marks[at];
      if (mark === undefined || mark.key >= below) break;
      marks.push({ id: mark.id, digest: mark.digest });
    }
    return marks;
  }

  sums(ranges: readonly RangeRef[], split: number): RangeSum[] {
    return ranges.flatMap(({ prefix, bits }) =>
      Array.from({ length: 2 ** split }, (_, at) => {
        const part = { prefix: prefix * 2 ** split + at, bits: bits + split };
        const marks = this.marks(part);
        const digest = marks.reduce((sum, mark) => addDigest(sum, mark.digest), EMPTY_DIGEST);
        return { ...part, count: marks.length, digest };
      }),
    );
  }

  printsOf(nonce: Uint8Array): string[] {
    return this.#marks.map((mark) => markPrint(nonce, mark));
  }

  #firstFrom(key: number): number {
    let low = 0;
    let high = this.#marks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#marks[middle]?.key ?? 0) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export interface CompareOptions {
  readonly most?: number;
  readonly leaves?: readonly RangeRef[];
  /** Most marks an answer tells of, so that cut answers are tried. */
  readonly pages?: { readonly marks: number; readonly named: number };
}

/** Runs a comparison through the wire's framing, and counts its bytes. */
export function compare(
  own: Side,
  owner: Side,
  options: CompareOptions = {},
): Difference & { bytes: number } {
  const nonce = randomBytes(16);
  const { most = 1e9, leaves, pages = { marks: 1_000, named: 1_000 } } = options;
  const input: RangeInput = { nonce, count: own.count, most, ...(leaves && { leaves }) };
  const session = findDifference(input);
  let bytes = 0;
  const sent = (message: Buffer): Buffer => {
    bytes += message.length;
    return message;
  };
  let step = session.next();
  while (!step.done) {
    step = session.next(
      step.value.ask === "own"
        ? { ask: "own", marks: step.value.ranges.map((range) => own.marks(range)) }
        : exchange(own, owner, { ...step.value, nonce }, pages, sent),
    );
  }
  return { ...step.value, bytes };
}

function exchange(
  own: Side,
  owner: Side,
  asked: WireQuestion,
  pages: { readonly marks: number; readonly named: number },
  sent: (message: Buffer) => Buffer,
): RangeAnswer {
  const { nonce } = asked;
  const heard: RangeQuestion = decodeQuestion(sent(encodeQuestion(asked)));
  if (heard.ask === "sums" && asked.ask === "sums") {
    const parts = owner.sums(heard.ranges, heard.split).map((sum) => rangePrint(nonce, sum));
    const told = decodeSums(sent(encodeSums(parts)), asked);
    return { ask: "sums", own: own.sums(asked.ranges, asked.split), owner: told };
  }
  if (heard.ask === "marks") {
    const [first] = heard.ranges;
    const prints = (first === undefined ? [] : owner.marks(first)).map((one) =>
      markPrint(nonce, one),
    );
    const page = prints.slice(heard.skip, heard.skip + pages.marks);
    const cut = heard.skip + pages.marks < prints.length;
    const rest = cut || pages.marks < 1_000 ? [] : heard.ranges.slice(1);
    const whole = rest.map((range) => ({
      cut: false,
      prints: owner.marks(range).map((one) => markPrint(nonce, one)),
    }));
    return {
      ask: "marks",
      ranges: decodeMarks(sent(encodeMarks([{ prints: page, cut }, ...whole]))),
    };
  }
  if (heard.ask !== "named") throw new Error(`nobody asks the owner for ${heard.ask}`);
  const marks = heard.wanted.flatMap(({ prints, ...range }) => {
    const byPrint = new Map(owner.marks(range).map((one) => [markPrint(nonce, one), one]));
    return prints.flatMap((print) => byPrint.get(print) ?? []);
  });
  const told = decodeNames(sent(encodeNames(marks.slice(0, pages.named))));
  return { ask: "named", marks: told };
}
