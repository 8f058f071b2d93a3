import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { openSqliteIndex } from "../../src/adapters/index-sqlite/index.ts";
import { NO_WATERMARKS } from "../../src/model/index-health.ts";
import type { IndexStore } from "../../src/ports/index.ts";
import { median } from "../support/figures.ts";
import { EMBEDDING, Records } from "./records.ts";

export interface EmbeddedOptions {
  /** Records that are restored, and whose sums are then asked for. */
  readonly restored: number;
  readonly applied: number;
  readonly searched: number;
  readonly dimensions: number;
}

export interface EmbeddedFigures {
  readonly restoreVectorsPerSecond: number;
  /** Of all threads: on a busy machine it says more than the rate. */
  readonly restoreCpuMicrosPerVector: number;
  /** Longest that the restoring thread's event loop waited. */
  readonly restoreLoopMaxMs: number;
  readonly applyPerSecond: number;
  /** Median of exact searches, one after the other. */
  readonly searchMs: number;
  /** Longest that the asking thread's event loop waited meanwhile. */
  readonly searchLoopMaxMs: number;
  /** Sums of the 256 parts of everything, of the 256 parts of one of them, and of all leaves. */
  readonly sumsMs: { readonly root: number; readonly part: number; readonly leaves: number };
  readonly marksMs: number;
  readonly openMs: number;
}

const PAGE = 1_000;
const BATCH = 500;
const ROOT = { prefix: 0, bits: 0 };

/** How fast the embedded index is, on the disk that TMPDIR is on. */
export async function measureEmbedded(options: EmbeddedOptions): Promise<EmbeddedFigures> {
  const folder = mkdtempSync(join(tmpdir(), "tideover-bench-index-"));
  try {
    return {
      ...(await measureRestored(join(folder, "restored.db"), options)),
      ...(await measureSearch(join(folder, "searched.db"), options)),
      applyPerSecond: await measureApply(folder, options),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measureRestored(path: string, { restored, dimensions }: EmbeddedOptions) {
  const index = await openSqliteIndex({ path });
  const records = new Records(restored, dimensions);
  const [loop, before] = [watchLoop(), process.cpuUsage()];
  const ms = await timed(() => restoreAll(index, records));
  const { user, system } = process.cpuUsage(before);
  const restoreLoopMaxMs = loop();
  const sumsMs = {
    root: await often(() => index.sums([ROOT], 8)),
    part: await often(() => index.sums([{ prefix: 77, bits: 8 }], 8)),
    leaves: await often(() => index.sums([ROOT], 16)),
  };
  const marksMs = await often(() => index.marks({ prefix: 12_345, bits: 16 }));
  await index.close();
  const openMs = await often(async () => {
    const again = await openSqliteIndex({ path });
    await again.position();
    await again.close();
  });
  return {
    restoreVectorsPerSecond: (restored / ms) * 1_000,
    restoreCpuMicrosPerVector: (user + system) / restored,
    ...{ restoreLoopMaxMs, sumsMs, marksMs, openMs },
  };
}

async function restoreAll(index: IndexStore, records: Records): Promise<void> {
  const { position } = records;
  await index.restore({
    ...{ position, epoch: 1, watermarks: NO_WATERMARKS },
    records: records.pages(PAGE),
  });
}

async function measureSearch(path: string, { searched, dimensions }: EmbeddedOptions) {
  const index = await openSqliteIndex({ path });
  const records = new Records(searched, dimensions);
  await restoreAll(index, records);
  const search = (n: number): Promise<unknown> =>
    index.search({ vector: records.vector(n), embedding: EMBEDDING, audiences: ["public"], k: 4 });
  await search(0);
  const loop = watchLoop();
  let n = 0;
  const searchMs = await often(() => search(n++));
  const searchLoopMaxMs = loop();
  await index.close();
  return { searchMs, searchLoopMaxMs };
}

/** A replica's writes, in batches, of entries that an owner of the same kind wrote. */
async function measureApply(folder: string, { applied, dimensions }: EmbeddedOptions) {
  const owner = await openSqliteIndex({ path: join(folder, "owner.db") });
  const replica = await openSqliteIndex({ path: join(folder, "replica.db") });
  const records = new Records(applied, dimensions);
  let ms = 0;
  for (let at = 0; at < applied; at += BATCH) {
    const length = Math.min(BATCH, applied - at);
    await owner.append(
      1,
      Array.from({ length }, (_, n) => records.entry(at + n)),
    );
    const entries = await owner.entriesAfter(at, BATCH);
    ms += await timed(() => replica.apply(entries));
  }
  await owner.close();
  await replica.close();
  return (applied / ms) * 1_000;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

async function often(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < 9; n++) times.push(await timed(work));
  return median(times);
}

/** Gives, when called, the longest wait of this thread's event loop since. */
function watchLoop(): () => number {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  return () => {
    delay.disable();
    return delay.max / 1e6;
  };
}
