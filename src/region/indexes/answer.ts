import { markPrint, rangePrint } from "../../core/reconcile/prints.ts";
import {
  decodeQuestion,
  encodeMarks,
  encodeNames,
  encodeSums,
  type WireQuestion,
} from "../../core/reconcile/range-wire.ts";
import type { MarkPrints, WantedPrints } from "../../core/reconcile/ranges.ts";
import { encodeWithin } from "../../core/reconcile/record-wire.ts";
import { TideoverError } from "../../lib/errors.ts";
import type { Position } from "../../model/position.ts";
import type { RecordMark } from "../../model/record.ts";
import type { IndexStore } from "../../ports/index.ts";
import type { LocalIndex } from "../local-index.ts";

/** Of an answer before base64, which adds a third; the asker reads 4 MiB at most. */
const MOST_BYTES = 2 * 1_048_576;
/** Prints in one answer: 1.6 MB. */
const MOST_PRINTS = 200_000;
/** Ranges whose marks are read for one answer. */
const MOST_RANGES = 4_096;

interface Framed {
  readonly at: Position;
  readonly data: string;
}

/**
 * Answers a question of another region's comparison. Everything is read under the writers' lock, so
 * that one answer is of one moment. Throws USAGE on what is no question, INDEX_DIVERGED (ask anew)
 * when a record that was listed a moment ago is another one now.
 */
export async function answerComparison(local: LocalIndex, question: Uint8Array): Promise<Framed> {
  const asked = decodeQuestion(question);
  return atOneMoment(local, (store) => answerQuestion(store, asked));
}

/** The records of these ids that there are, as many as fit; `asked`: ids dealt with. */
export async function answerRecords(
  local: LocalIndex,
  ids: readonly string[],
): Promise<Framed & { readonly asked: number }> {
  let asked = 0;
  const framed = await atOneMoment(local, async (store) => {
    const byId = new Map((await store.recordsOf(ids)).map((record) => [record.id, record]));
    const parts: Buffer[] = [];
    let bytes = 0;
    for (const id of ids) {
      const record = byId.get(id);
      const part = record === undefined ? NONE : encodeWithin([record], MOST_BYTES);
      if (asked > 0 && bytes + part.length > MOST_BYTES) break;
      parts.push(part);
      bytes += part.length;
      asked += 1;
    }
    return Buffer.concat(parts);
  });
  return { ...framed, asked };
}

const NONE = Buffer.alloc(0);

function atOneMoment(
  local: LocalIndex,
  read: (store: IndexStore) => Promise<Buffer>,
): Promise<Framed> {
  return local.writing.run(async () => {
    const at = await local.store.position();
    return { at, data: (await read(local.store)).toString("base64") };
  });
}

async function answerQuestion(store: IndexStore, asked: WireQuestion): Promise<Buffer> {
  const { nonce } = asked;
  switch (asked.ask) {
    case "sums": {
      const sums = await store.sums(asked.ranges, asked.split);
      return encodeSums(sums.map((sum) => rangePrint(nonce, sum)));
    }
    case "marks":
      return encodeMarks(await listed(store, asked));
    case "named": {
      const marks = await namedMarks(store, asked.wanted, nonce);
      return asked.whole === true ? wholeRecords(store, marks) : encodeNames(marks);
    }
  }
}

async function listed(
  store: IndexStore,
  { ranges, skip, nonce }: Extract<WireQuestion, { ask: "marks" }>,
): Promise<MarkPrints[]> {
  const told: MarkPrints[] = [];
  let left = MOST_PRINTS;
  for (const [at, range] of ranges.slice(0, MOST_RANGES).entries()) {
    if (left <= 0) break;
    const marks = (await store.marks(range)).slice(at === 0 ? skip : 0);
    const prints = marks.slice(0, left).map((mark) => markPrint(nonce, mark));
    told.push({ prints, cut: prints.length < marks.length });
    left -= Math.max(1, prints.length);
  }
  return told;
}

/** In the order asked for. */
async function namedMarks(
  store: IndexStore,
  wanted: readonly WantedPrints[],
  nonce: Uint8Array,
): Promise<RecordMark[]> {
  const named: RecordMark[] = [];
  for (const { prints, ...range } of wanted) {
    const marks = await store.marks(range);
    const byPrint = new Map(marks.map((mark) => [markPrint(nonce, mark), mark]));
    for (const print of prints) {
      const mark = byPrint.get(print);
      if (mark === undefined) throw moved();
      named.push(mark);
    }
  }
  return named;
}

async function wholeRecords(store: IndexStore, marks: readonly RecordMark[]): Promise<Buffer> {
  const records = await store.recordsOf(marks.map(({ id }) => id));
  const byId = new Map(records.map((record) => [record.id, record]));
  const ordered = marks.map(({ id }) => byId.get(id));
  if (!ordered.every((record) => record !== undefined)) throw moved();
  return encodeWithin(ordered, MOST_BYTES);
}

function moved(): TideoverError {
  return new TideoverError("a record that was listed is another one by now", {
    code: "INDEX_DIVERGED",
    retry: "now",
    next: "Compare again.",
  });
}
