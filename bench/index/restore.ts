import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLayout } from "../../src/adapters/artifacts-layout/layout.ts";
import { openSqliteIndex } from "../../src/adapters/index-sqlite/index.ts";
import type { IndexStore } from "../../src/ports/index.ts";
import { findSnapshot, snapshotRecords } from "../../src/region/snapshots/read.ts";
import { takeSnapshot } from "../../src/region/snapshots/take.ts";
import { MadeIndex } from "./made-index.ts";

/** An engine that a snapshot is restored into. */
export interface RestoreTarget {
  readonly name: string;
  open(folder: string): Promise<IndexStore>;
}

export const SQLITE: RestoreTarget = {
  name: "sqlite",
  open: (folder) => openSqliteIndex({ path: join(folder, "restored.db") }),
};

export interface RestoreFigures {
  readonly engine: string;
  readonly records: number;
  readonly dimensions: number;
  readonly snapshotBytes: number;
  readonly layers: number;
  /** Records a second, from the call until the copy is whole; of the best round. */
  readonly vectorsPerSecond: number;
  /** The same by processor time of the whole process: what an idle core would give. */
  readonly vectorsPerCpuSecond: number;
  readonly roundsMs: readonly number[];
}

/** Restores a snapshot from a layout on disk, every byte compared, into each engine. */
export async function benchRestore(
  { quick }: { readonly quick: boolean },
  targets: readonly RestoreTarget[] = [SQLITE],
): Promise<RestoreFigures & { readonly others: readonly RestoreFigures[] }> {
  const [records, dimensions, rounds] = [quick ? 50_000 : 300_000, 384, quick ? 2 : 3];
  const folder = mkdtempSync(join(tmpdir(), "tideover-bench-restore-"));
  const layout = openLayout({ folder: join(folder, "artifacts") });
  try {
    const made = new MadeIndex(records, dimensions);
    const { tag, bytes } = await takeSnapshot({ index: "bench", store: made, target: layout });
    const found = await findSnapshot(layout, "bench", tag);
    const figures: RestoreFigures[] = [];
    for (const target of targets) {
      const times: { ms: number; cpuMs: number }[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const index = await target.open(join(folder, `${target.name}-${round}`));
        const [began, cpu] = [performance.now(), process.cpuUsage()];
        await index.restore({ ...found.config, records: snapshotRecords(layout, found) });
        const { user, system } = process.cpuUsage(cpu);
        times.push({ ms: performance.now() - began, cpuMs: (user + system) / 1_000 });
        await index.close();
        rmSync(join(folder, `${target.name}-${round}`), { recursive: true, force: true });
      }
      const best = Math.min(...times.map(({ ms }) => ms));
      const leastCpu = Math.min(...times.map(({ cpuMs }) => cpuMs));
      figures.push({
        ...{ engine: target.name, records, dimensions },
        ...{ snapshotBytes: bytes, layers: found.layers.length },
        vectorsPerSecond: Math.round((records * 1_000) / best),
        vectorsPerCpuSecond: Math.round((records * 1_000) / leastCpu),
        roundsMs: times.map(({ ms }) => Math.round(ms)),
      });
    }
    const [first, ...others] = figures;
    if (first === undefined) throw new Error("there is no engine to restore into");
    return { ...first, others };
  } finally {
    await layout.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
