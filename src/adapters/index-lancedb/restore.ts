import { rangeKey } from "../../core/reconcile/digest.ts";
import { refuseDamaged } from "../../core/reconcile/follow.ts";
import { type Connection, transaction } from "../../ledger/connection.ts";
import { LeafSums } from "../../ledger/leaf-sums.ts";
import { beginLog } from "../../ledger/log.ts";
import { readMeta, writeGeneration, writePosition } from "../../ledger/meta.ts";
import { writeSums } from "../../ledger/range-sums.ts";
import { showPart } from "../../ledger/standing.ts";
import type { Position } from "../../model/position.ts";
import type { StoredRecord } from "../../model/record.ts";
import type { IndexRestore } from "../../ports/index.ts";
import { type Held, type Named, nameFresh, nameNext, readState } from "./bookkeeping.ts";
import type { Copy } from "./copy.ts";
import { Loader } from "./loader.ts";
import { heldWith } from "./reading.ts";
import { clear, KEEP_MS } from "./tidy.ts";
import { unavailable } from "./trouble.ts";
import type { Writer } from "./writer.ts";

/** A restore that is under way. */
interface Restore {
  readonly copy: Copy;
  readonly from: IndexRestore;
  readonly writer: Writer;
  readonly sums: LeafSums;
  /** Of the records that are in the table. */
  readonly loaded: { records: number; writes: number; held: Held };
}

/**
 * See IndexStore.restore. The records go into a table of their own, which the ledger names when all
 * are in. Until then the former contents answer, or the hot part out of the new table, and a kill
 * leaves them as they were.
 */
export async function restore(copy: Copy, from: IndexRestore): Promise<Position> {
  const run = await begin(copy, from);
  try {
    await load(run);
    run.sums.judge(from.position);
    await copy.alone(() => finish(run));
  } catch (error) {
    // Never throws itself: why the restore failed is what its caller must hear. What it could not
    // take away, the next writer to open the index does.
    await copy.alone(() => forgetHalf(copy)).catch(() => undefined);
    throw error;
  } finally {
    copy.restoring = false;
  }
  return { ...from.position };
}

async function begin(copy: Copy, from: IndexRestore): Promise<Restore> {
  copy.note(readMeta);
  if (copy.restoring) {
    throw unavailable(`index file ${copy.options.path} is being restored`, "Wait until it is.");
  }
  copy.restoring = true;
  try {
    return await copy.alone(async () => {
      await forgetHalf(copy);
      const { generation } = copy.look(readMeta);
      const writer = await copy.lake.make(`records_${generation + 1}`);
      return {
        copy,
        from,
        writer,
        sums: new LeafSums(),
        loaded: { records: 0, writes: 0, held: [] },
      };
    });
  } catch (error) {
    copy.restoring = false;
    throw error;
  }
}

/** What was being loaded when its process was killed, nobody goes on with. */
export async function forgetHalf(copy: Copy): Promise<void> {
  copy.note((connection) => transaction(connection, () => showNothing(connection)));
  await clear(copy);
}

function showNothing(connection: Connection): void {
  showPart(connection, null, null);
  nameNext(connection, null);
}

async function load(run: Restore): Promise<void> {
  const loader = new Loader((records) => add(run, records), run.from.hot);
  try {
    for await (const page of run.from.records) {
      for (const record of page) note(run, record);
      await loader.take(page);
    }
    await loader.end();
  } finally {
    // What is given up must not show itself after it was taken away.
    await loader.stop();
  }
}

function note({ copy, sums }: Restore, record: StoredRecord): void {
  const key = copy.options.digestKey;
  refuseDamaged(record, key);
  sums.add(rangeKey(record.id, key), Buffer.from(record.digest, "hex"));
}

async function add(
  { copy, from, writer, loaded }: Restore,
  records: readonly StoredRecord[],
): Promise<void> {
  await writer.add(records);
  loaded.records += records.length;
  loaded.writes += 1;
  loaded.held = heldWith(loaded.held, records);
  if (from.hot === undefined || loaded.records < from.hot) return;
  const next = namedOf(writer, loaded.held);
  copy.note((connection) =>
    transaction(connection, () => {
      showPart(connection, loaded.records, from.position.count);
      nameNext(connection, next);
    }),
  );
}

function namedOf({ name, version }: Writer, held: Held): Named {
  return { name, version, held };
}

async function finish({ copy, from, writer, sums, loaded }: Restore): Promise<void> {
  await writer.sync();
  const named = namedOf(writer, loaded.held);
  const former = copy.look(readState).named;
  copy.note((connection) =>
    transaction(connection, () => {
      const { epoch, generation } = readMeta(connection);
      connection.sql("DELETE FROM ranges").run();
      writeSums(connection, sums, "");
      beginLog(connection, from);
      showNothing(connection);
      nameFresh(connection, named, loaded.writes);
      writeGeneration(connection, generation + 1);
      writePosition(connection, { epoch: Math.max(epoch, from.epoch), position: from.position });
    }),
  );
  if (former !== null) retire(copy, former.name);
}

/** Searches of other processes may still be in it. */
function retire(copy: Copy, name: string): void {
  copy.retired.set(name, Date.now());
  const later = () => void copy.alone(() => clear(copy)).catch(() => undefined);
  setTimeout(later, KEEP_MS + 1).unref();
}
