import { addDigest, type DigestKey, rangeKey } from "../../core/reconcile/digest.ts";
import type { IndexStanding } from "../../model/index-health.ts";
import { EMPTY_DIGEST, type Position } from "../../model/position.ts";
import type { StoredRecord } from "../../model/record.ts";
import type { IndexRestore } from "../../ports/index.ts";
import { type LeafChange, turn } from "./batch.ts";
import type { Session } from "./database.ts";
import { ensureGraphs } from "./graph.ts";
import { guard } from "./migrate.ts";
import type { PgvectorOptions } from "./options.ts";
import { insertRecords, refuseDamaged } from "./repair.ts";
import { heldNow, type Meta, writeMeta } from "./rows.ts";
import { setRanges } from "./sums.ts";
import type { Tables } from "./tables.ts";
import { diverged } from "./write.ts";

/** What is loaded so far. */
interface Load {
  count: number;
  digest: string;
  readonly leaves: Map<number, LeafChange>;
}

/**
 * See IndexStore.restore. The records go into a table of their own, page by page, which takes the
 * place of `records` when all are in: until then the former contents answer. `hot`: it takes its
 * place as soon as that many are in, and the former one waits aside until it is known to be right.
 */
export async function restore(
  tables: Tables,
  options: PgvectorOptions,
  from: IndexRestore,
): Promise<Position> {
  const former = await tables.slow((session, meta) => begin(session, meta));
  const load: Load = { count: 0, digest: EMPTY_DIGEST, leaves: new Map() };
  let table = "restored";
  try {
    for await (const page of from.records) {
      for (const record of page) note(load, record, options.key);
      await tables.slow(async (session, meta) => {
        refuseOther(former, meta);
        await insertRecords(session, table, page, options.key);
        if (from.hot === undefined || load.count < from.hot) return;
        if (table === "restored") await showPart(session, options);
        const total = from.position.count;
        const standing: IndexStanding = { kind: "partial", loaded: load.count, total };
        const shown = { standing, former: meta.former ?? meta.standing };
        await writeMeta(session, { ...meta, ...shown, held: await heldNow(session) });
      });
      if (from.hot !== undefined && load.count >= from.hot) table = "records";
    }
    refuseIncomplete(load, from.position);
    await tables.slow((session, meta) => build(session, meta, { former, table, options }));
  } catch (error) {
    await tables.slow((session, meta) => giveUp(session, meta, former));
    throw error;
  }
  await tables.slow((session, meta) => finish(session, meta, { former, table, load, from }));
  return from.position;
}

/** Other restores end here; what one that was killed left behind is put right. */
async function begin(session: Session, meta: Meta): Promise<Meta> {
  const sound = await recover(session, meta);
  await session.all("CREATE TABLE restored (LIKE records INCLUDING STORAGE)");
  const next = { ...sound, generation: sound.generation + 1 };
  await writeMeta(session, next);
  return next;
}

/** Takes away what a restore that was killed left, and gives what the index then is. */
export async function recover(session: Session, meta: Meta): Promise<Meta> {
  await session.all("DROP TABLE IF EXISTS restored");
  const [replaced] = await session.all("SELECT to_regclass('replaced') IS NOT NULL AS there");
  if (replaced?.there !== true) return meta;
  await session.all("DROP TABLE records; ALTER TABLE replaced RENAME TO records");
  const standing = meta.former ?? { kind: "whole" };
  return { ...meta, standing, former: null, held: await heldNow(session) };
}

function note(load: Load, record: StoredRecord, key: DigestKey): void {
  refuseDamaged(record, key);
  load.count += 1;
  load.digest = addDigest(load.digest, record.digest);
  turn(load.leaves, { rangeKey: rangeKey(record.id, key), digest: record.digest }, 1);
}

function refuseOther(former: Meta, now: Meta): void {
  if (now.generation === former.generation) return;
  throw diverged("another restore has begun in the middle of this one");
}

function refuseIncomplete(load: Load, position: Position): void {
  if (load.digest === position.digest && load.count === position.count) return;
  throw diverged(`the snapshot's ${load.count} records do not sum up to seq ${position.seq}`);
}

/** The former contents wait aside, for the case that they have to come back. */
async function showPart(session: Session, options: PgvectorOptions): Promise<void> {
  await guard(session, "restored", options);
  await session.all("ALTER TABLE records RENAME TO replaced");
  await session.all("ALTER TABLE restored RENAME TO records");
}

async function giveUp(session: Session, meta: Meta, former: Meta): Promise<void> {
  if (meta.generation !== former.generation) return;
  await writeMeta(session, await recover(session, meta));
}

interface Built {
  readonly former: Meta;
  readonly table: string;
  readonly options: PgvectorOptions;
}

/** Before the table takes its place: searches go on meanwhile. */
async function build(
  session: Session,
  meta: Meta,
  { former, table, options }: Built,
): Promise<void> {
  refuseOther(former, meta);
  if (table === "restored") await guard(session, table, options);
  if (options.hnsw !== undefined) {
    const held = await heldNow(session, table);
    await ensureGraphs(session, table, { ...meta, held }, options.hnsw);
  }
  await session.all(`ANALYZE ${table}`);
}

interface Finished {
  readonly former: Meta;
  readonly table: string;
  readonly load: Load;
  readonly from: IndexRestore;
}

async function finish(session: Session, meta: Meta, finished: Finished): Promise<void> {
  const { former, table, load, from } = finished;
  refuseOther(former, meta);
  if (table === "restored") {
    await session.all("DROP TABLE records; ALTER TABLE restored RENAME TO records");
  } else await session.all("DROP TABLE replaced");
  await session.all("TRUNCATE log, undo, ranges");
  await setRanges(session, load.leaves);
  const { position, watermarks } = from;
  await writeMeta(session, {
    ...meta,
    position,
    watermarks,
    standing: { kind: "whole" },
    former: null,
    held: await heldNow(session),
    epoch: Math.max(meta.epoch, from.epoch),
    base: position.seq,
  });
}
