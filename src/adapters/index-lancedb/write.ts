import { type Batch, type Live, think, type Version } from "../../core/reconcile/batch.ts";
import { rangeKey } from "../../core/reconcile/digest.ts";
import {
  highestEpoch,
  refuseDigest,
  refuseGap,
  refuseOther,
  refuseStale,
  type Word,
} from "../../core/reconcile/follow.ts";
import type { Connection } from "../../ledger/connection.ts";
import { wordOf, writeEntry } from "../../ledger/entries.ts";
import { raiseWatermark, writeUndo } from "../../ledger/log.ts";
import { writePosition } from "../../ledger/meta.ts";
import { raise } from "../../ledger/range-sums.ts";
import { nodeOf } from "../../ledger/sum.ts";
import type { LogEntry } from "../../model/change.ts";
import type { Epoch } from "../../model/ids.ts";
import { NO_WATERMARKS } from "../../model/index-health.ts";
import type { Position } from "../../model/position.ts";
import { LEAF_BITS, type StoredRecord } from "../../model/record.ts";
import type { EmbeddedChange } from "../../ports/index.ts";
import type { Copy, Turn } from "./copy.ts";
import { anyOf } from "./filter.ts";
import { find } from "./reading.ts";

/** See IndexStore.append. */
export function append(
  copy: Copy,
  epoch: Epoch,
  changes: readonly EmbeddedChange[],
): Promise<Position> {
  return copy.write(async (turn) => {
    const { position, epoch: seen } = turn.meta;
    refuseStale(seen, epoch);
    const entries = changes.map((change, at) => {
      return { ...change, seq: position.seq + 1 + at, epoch, digestAfter: "" };
    });
    const done = await carryOut(copy, turn, entries, () => undefined);
    return turn.commit((connection, now) => {
      // It may have been fenced while the table was written.
      refuseStale(now.epoch, epoch);
      return writeDown(connection, done, epoch);
    });
  });
}

/** See IndexStore.apply. */
export function apply(copy: Copy, entries: readonly LogEntry[]): Promise<Position> {
  return copy.write(async (turn) => {
    const fresh = turn.look((connection) => freshOf(connection, turn, entries));
    const done = await carryOut(copy, turn, fresh, refuseDigest);
    return turn.commit((connection, now) =>
      writeDown(connection, done, highestEpoch(now.epoch, entries)),
    );
  });
}

/** Those that are not here yet. Throws INDEX_DIVERGED unless they follow on. */
function freshOf(connection: Connection, turn: Turn, entries: readonly LogEntry[]): LogEntry[] {
  const { position, base } = turn.meta;
  let { seq } = position;
  let before: Word | null = wordOf(connection, seq);
  const fresh: LogEntry[] = [];
  for (const entry of entries) {
    if (entry.seq <= seq) {
      const held = fresh.find((one) => one.seq === entry.seq) ?? wordOf(connection, entry.seq);
      // Below the base nothing is known of single entries, and the contents speak for themselves.
      if (entry.seq > base.seq) refuseOther(held, entry);
      continue;
    }
    refuseGap(seq, before, entry);
    fresh.push(entry);
    before = entry;
    seq = entry.seq;
  }
  return fresh;
}

/** A batch whose records are in the table, with those that it took out. */
interface Done {
  readonly batch: Batch;
  readonly before: ReadonlyMap<string, StoredRecord>;
}

async function carryOut(
  copy: Copy,
  turn: Turn,
  entries: readonly LogEntry[],
  check: (entry: LogEntry, digest: string) => void,
): Promise<Done> {
  const key = copy.options.digestKey;
  const ids = new Set(entries.filter(({ op }) => op !== "watermark").map(({ id }) => id));
  const found = await find(turn.table, [...ids], key);
  const before = new Map(found.map(({ record }) => [record.id, record]));
  const live = new Map([...before].map(([id, record]) => [id, liveOf(record, copy)]));
  const versions = await versionsOf(turn, entries);
  // Watermarks are the ledger's own: it raises them when it writes the entries down.
  const start = { position: turn.meta.position, watermarks: NO_WATERMARKS, live, versions };
  const batch = think(entries, start, key, check);
  await turn.replace({ drop: found, put: written(batch) });
  return { batch, before };
}

function liveOf({ id, digest, embedding }: StoredRecord, { options }: Copy): Live {
  return { seq: null, digest, embedding, rangeKey: rangeKey(id, options.digestKey) };
}

/**
 * How many records have a version is only counted where it matters: where a vector of the batch
 * has other dimensions, which is right once the last record of the old ones is gone.
 */
async function versionsOf(turn: Turn, entries: readonly LogEntry[]): Promise<Map<string, Version>> {
  const versions = new Map<string, Version>();
  const upserts = entries.filter(({ op }) => op === "upsert");
  for (const embedding of new Set(upserts.map((entry) => entry.embedding))) {
    const dimensions = turn.held.find((one) => one.embedding === embedding)?.dimensions;
    if (dimensions === undefined) continue;
    const own = upserts.filter((entry) => entry.embedding === embedding);
    const same = own.every(({ vector }) => Buffer.byteLength(vector, "base64") === dimensions * 4);
    const count = same ? Number.POSITIVE_INFINITY : await countOf(turn, embedding);
    versions.set(embedding, { dimensions, count });
  }
  return versions;
}

async function countOf({ table }: Turn, embedding: string): Promise<number> {
  return table === null ? 0 : table.countRows(anyOf("embedding", [embedding]));
}

/** The records that the batch leaves behind. */
function written(batch: Batch): StoredRecord[] {
  const bySeq = new Map(batch.logged.map((logged) => [logged.entry.seq, logged]));
  return [...batch.ends.values()].flatMap((live) => recordIn(bySeq, live) ?? []);
}

type BySeq = ReadonlyMap<number, Batch["logged"][number]>;

function recordIn(bySeq: BySeq, live: Live | null): StoredRecord | null {
  const logged = live === null || live.seq === null ? undefined : bySeq.get(live.seq);
  if (live === null || logged === undefined) return null;
  const { id, audience, labels, embedding, title, text, payload } = logged.entry;
  const { vector } = logged;
  return { id, audience, labels, embedding, vector, title, text, payload, digest: live.digest };
}

function writeDown(connection: Connection, { batch, before }: Done, epoch: Epoch): Position {
  const bySeq = new Map(batch.logged.map((logged) => [logged.entry.seq, logged]));
  for (const { entry, vector, replaced } of batch.logged) {
    writeEntry(connection, entry, vector);
    if (entry.op === "watermark") raiseWatermark(connection, entry.seq, entry);
    const image = recordIn(bySeq, replaced) ?? (replaced && before.get(entry.id));
    if (image) writeUndo(connection, entry.seq, image);
  }
  const leaves = [...batch.leaves].map(([prefix, { count, digest }]) => {
    return [nodeOf(prefix, LEAF_BITS), { count, sum: BigInt(`0x${digest}`) }] as const;
  });
  raise(connection, new Map(leaves));
  writePosition(connection, { epoch, position: batch.position });
  return batch.position;
}
