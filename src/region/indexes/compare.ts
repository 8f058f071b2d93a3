import { randomBytes } from "node:crypto";
import { NONCE_BYTES } from "../../core/reconcile/prints.ts";
import {
  decodeMarks,
  decodeNames,
  decodeSums,
  encodeQuestion,
} from "../../core/reconcile/range-wire.ts";
import {
  type Difference,
  findDifference,
  type RangeAnswer,
  type RangeQuestion,
} from "../../core/reconcile/ranges.ts";
import { decodeRecords } from "../../core/reconcile/record-wire.ts";
import type { RangeRef, RecordMark, StoredRecord } from "../../model/record.ts";
import type { LocalIndex } from "../local-index.ts";
import type { World } from "../world.ts";
import type { IndexPeer } from "./ask.ts";

export interface CompareOptions {
  /** See RangeInput. */
  readonly most: number;
  readonly leaves?: readonly RangeRef[];
  /** true: the records that our copy lacks are fetched as they are named. */
  readonly whole: boolean;
}

export interface Compared extends Difference {
  /** Those of `put`, when they were wanted whole. Nobody has compared them with their digests yet. */
  readonly records: readonly StoredRecord[];
  readonly tookMs: number;
  /** Bytes that went over the line, both ways. */
  readonly bytes: number;
}

/**
 * Compares our copy with a peer's. Both may be written meanwhile: what the log says of the time
 * since the positions were equal is no difference, and it is for the caller to leave it out.
 */
export async function compareWith(
  world: World,
  local: LocalIndex,
  peer: IndexPeer,
  options: CompareOptions,
): Promise<Compared> {
  const { clock } = world.options;
  const began = clock.monotonic();
  const before = peer.bytes;
  const nonce = randomBytes(NONCE_BYTES);
  const { count } = await local.store.position();
  const { most, leaves } = options;
  const session = findDifference({ nonce, count, most, ...(leaves && { leaves }) });
  const records: StoredRecord[] = [];
  let step = session.next();
  while (!step.done) {
    const answer = await answered(local, peer, step.value, { nonce, whole: options.whole });
    if (answer.ask === "named") records.push(...answer.marks.filter(isWhole));
    step = session.next(answer);
  }
  const bytes = peer.bytes - before;
  return { ...step.value, records, tookMs: clock.monotonic() - began, bytes };
}

function isWhole(mark: RecordMark): mark is StoredRecord {
  return "vector" in mark;
}

async function answered(
  { store }: LocalIndex,
  peer: IndexPeer,
  question: RangeQuestion,
  { nonce, whole }: { readonly nonce: Uint8Array; readonly whole: boolean },
): Promise<RangeAnswer> {
  if (question.ask === "own") {
    const marks: RecordMark[][] = [];
    for (const range of question.ranges) marks.push(await store.marks(range));
    return { ask: "own", marks };
  }
  const { data } = await peer.compare(encodeQuestion({ ...question, nonce, whole }));
  const bytes = Buffer.from(data, "base64");
  switch (question.ask) {
    case "sums": {
      const owner = decodeSums(bytes, question);
      return { ask: "sums", own: await store.sums(question.ranges, question.split), owner };
    }
    case "marks":
      return { ask: "marks", ranges: decodeMarks(bytes) };
    case "named":
      return { ask: "named", marks: whole ? decodeRecords(bytes) : decodeNames(bytes) };
  }
}
