import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLayout } from "../../src/adapters/artifacts-layout/layout.ts";
import { openSqliteIndex } from "../../src/adapters/index-sqlite/index.ts";
import { findSnapshot, snapshotRecords } from "../../src/region/snapshots/read.ts";
import { takeSnapshot } from "../../src/region/snapshots/take.ts";
import { MadeIndex } from "./made-index.ts";
import { benchPostgres, type PostgresFigures } from "./postgres.ts";

export interface RestoreFigures {
  readonly engine: "sqlite";
  readonly records: number;
  readonly dimensions: number;
  readonly snapshotBytes: number;
  readonly layers: number;
  /** Records a second, from the call until the copy is whole; of the best round. */
  readonly vectorsPerSecond: number;
  /** The same by processor time of the whole process: what an idle core would give. */
  readonly vectorsPerCpuSecond: number;
  readonly roundsMs: readonly number[];
  readonly pgvector: PostgresFigures;
}

interface Round {
  readonly ms: number;
  readonly cpuMs: number;
}

/**
 * Restores a snapshot from a layout on disk, every byte compared, into the embedded engine; and
 * fewer of the same records into PostgreSQL, beside a plain COPY of them.
 */
export async function benchRestore({
  quick,
}: {
  readonly quick: boolean;
}): Promise<RestoreFigures> {
  const [records, dimensions, rounds] = [quick ? 50_000 : 300_000, 384, quick ? 2 : 3];
  const folder = mkdtempSync(join(tmpdir(), "tideover-bench-restore-"));
  const layout = openLayout({ folder: join(folder, "artifacts") });
  try {
    const made = new MadeIndex(records, dimensions);
    const { tag, bytes } = await takeSnapshot({ index: "bench", store: made, target: layout });
    const found = await findSnapshot(layout, "bench", tag);
    const times: Round[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const path = join(folder, `restored-${round}.db`);
      times.push(
        await timed(path, (index) =>
          index.restore({ ...found.config, records: snapshotRecords(layout, found) }),
        ),
      );
    }
    const few = new MadeIndex(quick ? 5_000 : 20_000, dimensions);
    return {
      ...{ engine: "sqlite", records, dimensions },
      ...{ snapshotBytes: bytes, layers: found.layers.length },
      vectorsPerSecond: perSecond(records, Math.min(...times.map(({ ms }) => ms))),
      vectorsPerCpuSecond: perSecond(records, Math.min(...times.map(({ cpuMs }) => cpuMs))),
      roundsMs: times.map(({ ms }) => Math.round(ms)),
      pgvector: await benchPostgres(await few.openSnapshot(), dimensions),
    };
  } finally {
    await layout.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

type Opened = Awaited<ReturnType<typeof openSqliteIndex>>;

async function timed(path: string, work: (index: Opened) => Promise<unknown>): Promise<Round> {
  const index = await openSqliteIndex({ path });
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  await work(index);
  const { user, system } = process.cpuUsage(cpu);
  const round = { ms: performance.now() - began, cpuMs: (user + system) / 1_000 };
  await index.close();
  for (const end of ["", "-wal", "-shm"]) rmSync(path + end, { force: true });
  return round;
}

function perSecond(records: number, ms: number): number {
  return Math.round((records * 1_000) / ms);
}
