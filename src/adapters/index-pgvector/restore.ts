import { type LeafChange, turn } from "../../core/reconcile/batch.ts";
import { addDigest, type DigestKey, rangeKey } from "../../core/reconcile/digest.ts";
import { diverged, refuseDamaged } from "../../core/reconcile/follow.ts";
import { EMPTY_DIGEST, type Position } from "../../model/position.ts";
import type { StoredRecord } from "../../model/record.ts";
import type { IndexRestore } from "../../ports/index.ts";
import type { Session } from "./database.ts";
import { ensureGraphs } from "./graph.ts";
import { guard } from "./migrate.ts";
import type { PgvectorOptions } from "./options.ts";
import { insertRecords } from "./repair.ts";
import { heldNow, type Meta, writeMeta } from "./rows.ts";
import { setRanges } from "./sums.ts";
import type { Tables } from "./tables.ts";
import { codeOf } from "./trouble.ts";

/** What is loaded so far. */
interface Load {
  count: number;
  digest: string;
  readonly leaves: Map<number, LeafChange>;
}

/** A restore that is under way. */
interface Restore {
  readonly tables: Tables;
  readonly options: PgvectorOptions;
  readonly from: IndexRestore;
  /** Another one that begins ends this one. */
  readonly attempt: number;
  readonly load: Load;
}

/**
 * See IndexStore.restore. The records go into a table of their own, page by page, which takes the
 * place of `records` when all are in. Until then the former contents answer, or the hot part out of
 * the new table, and a kill leaves them as they were.
 */
export async function restore(
  tables: Tables,
  options: PgvectorOptions,
  from: IndexRestore,
): Promise<Position> {
  const attempt = await tables.slow(begin);
  const load: Load = { count: 0, digest: EMPTY_DIGEST, leaves: new Map() };
  const run: Restore = { tables, options, from, attempt, load };
  try {
    for await (const page of from.records) await loadPage(run, page);
    refuseIncomplete(run);
    await tables.build((session, meta) => build(session, meta, run));
    await step(run, (session, meta) => finish(session, meta, run));
  } catch (error) {
    // Never throws itself: why the restore failed is what its caller must hear. What it could not
    // take away, the next writer to open the index does.
    await step(run, abandon).catch(() => undefined);
    throw explainedTwice(error);
  }
  return { ...from.position };
}

async function begin(session: Session, meta: Meta): Promise<number> {
  await abandon(session, meta);
  await session.all("CREATE TABLE restored (LIKE records INCLUDING STORAGE)");
  return meta.attempt + 1;
}

/** What a killed process was loading, nobody goes on with. */
export async function abandon(session: Session, meta: Meta): Promise<void> {
  // Searches that look at the hot part hold this lock as well: they end first.
  await session.all("LOCK TABLE records IN ACCESS EXCLUSIVE MODE");
  await session.all("DROP TABLE IF EXISTS restored");
  await writeMeta(session, { ...meta, hot: null, attempt: meta.attempt + 1 });
}

async function step<T>(
  { tables, attempt }: Restore,
  work: (session: Session, meta: Meta) => Promise<T>,
): Promise<T> {
  return tables.slow((session, meta) => {
    refuseOvertaken(meta, attempt);
    return work(session, meta);
  });
}

function refuseOvertaken(meta: Meta, attempt: number): void {
  if (meta.attempt === attempt) return;
  throw diverged("another restore began in the middle of this one");
}

async function loadPage(run: Restore, page: readonly StoredRecord[]): Promise<void> {
  const { load, options, from } = run;
  for (const record of page) note(load, record, options.key);
  await step(run, async (session, meta) => {
    const { vectorType } = meta;
    await insertRecords(session, "restored", page, { vectorType, key: options.key });
    if (from.hot === undefined || load.count < from.hot) return;
    if (meta.hot === null) await guard(session, "restored", options);
    const hot = { loaded: load.count, total: from.position.count };
    await writeMeta(session, {
      ...meta,
      hot: { ...hot, held: await heldNow(session, "restored") },
    });
  });
}

function note(load: Load, record: StoredRecord, key: DigestKey): void {
  refuseDamaged(record, key);
  load.count += 1;
  load.digest = addDigest(load.digest, record.digest);
  turn(load.leaves, { rangeKey: rangeKey(record.id, key), digest: record.digest }, 1);
}

function refuseIncomplete({ load, from: { position } }: Restore): void {
  if (load.digest === position.digest && load.count === position.count) return;
  throw diverged(`the snapshot's ${load.count} records do not sum up to seq ${position.seq}`);
}

/** All that takes time, before the table takes its place: searches go on meanwhile. */
async function build(session: Session, meta: Meta, { options, attempt }: Restore): Promise<void> {
  refuseOvertaken(meta, attempt);
  if (meta.hot === null) await guard(session, "restored", options);
  if (options.hnsw !== undefined) {
    const held = await heldNow(session, "restored");
    await ensureGraphs(session, "restored", { ...meta, held }, options.hnsw);
  }
  await session.all("ANALYZE restored");
}

async function finish(session: Session, meta: Meta, { load, from }: Restore): Promise<void> {
  await session.all("DROP TABLE records; ALTER TABLE restored RENAME TO records");
  await session.all("TRUNCATE log, undo, ranges");
  await setRanges(session, load.leaves);
  const { position, watermarks } = from;
  await writeMeta(session, {
    ...meta,
    position,
    watermarks,
    hot: null,
    held: await heldNow(session),
    epoch: Math.max(meta.epoch, from.epoch),
    base: position.seq,
    generation: meta.generation + 1,
  });
}

function explainedTwice(error: unknown): unknown {
  const cause = error instanceof Error ? error.cause : undefined;
  return codeOf(cause) === "23505" ? diverged("the snapshot has a record twice") : error;
}
