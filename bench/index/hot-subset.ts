import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { openLayout } from "../../src/adapters/artifacts-layout/layout.ts";
import { openSqliteIndex } from "../../src/adapters/index-sqlite/index.ts";
import { recordsForShare } from "../../src/core/reconcile/heat.ts";
import type { IndexStore } from "../../src/ports/index.ts";
import { findSnapshot, snapshotRecords } from "../../src/region/snapshots/read.ts";
import { takeSnapshot } from "../../src/region/snapshots/take.ts";
import { idOf, MadeIndex, randomFrom, vectorOf } from "./made-index.ts";

const ZIPF = 1.2;
const K = 10;
/** Of the traffic that was seen; that which comes hits what was never seen, too. */
const HOT_SHARE = 0.99;

export interface HotSubsetFigures {
  readonly records: number;
  readonly dimensions: number;
  readonly zipf: number;
  /** Records in the hot part. */
  readonly hot: number;
  readonly queries: number;
  /** Share of new queries whose right top result the hot part gives. */
  readonly servableShare: number;
  /** Share of those whose whole top 10 is right. */
  readonly wholeTopK: number;
  /** Time until the hot part answers, as a share of the time of the whole restore. */
  readonly timeShare: number;
  readonly hotMs: number;
  readonly fullMs: number;
}

/**
 * Restores an index with its hot part first, and asks the hot part what callers would ask by then.
 * The traffic that made the ranking and the traffic that is asked are two samples of one Zipf
 * distribution; what is right is what the whole index answers afterwards.
 */
export async function benchHotSubset({
  quick,
}: {
  readonly quick: boolean;
}): Promise<HotSubsetFigures> {
  const [records, dimensions] = [quick ? 100_000 : 1_000_000, 128];
  const [seen, queries] = [quick ? 50_000 : 300_000, quick ? 150 : 300];
  const folder = mkdtempSync(join(tmpdir(), "tideover-bench-hot-"));
  const layout = openLayout({ folder: join(folder, "artifacts") });
  try {
    const traffic = zipfOver(records);
    const observed = randomFrom(1);
    const hits = new Map<string, number>();
    for (let n = 0; n < seen; n += 1) {
      const id = idOf(traffic(observed()));
      hits.set(id, (hits.get(id) ?? 0) + 1);
    }
    const made = new MadeIndex(records, dimensions);
    const { tag } = await takeSnapshot({ index: "bench", store: made, target: layout, hits });
    const found = await findSnapshot(layout, "bench", tag);
    const hot = recordsForShare(found.config.heat, HOT_SHARE);
    const asked = randomFrom(2);
    const wanted = Array.from({ length: queries }, () => traffic(asked()));
    const index = await openSqliteIndex({ path: join(folder, "restored.db") });
    const run = { index, wanted, dimensions, early: [] as string[][], pausedMs: 0, hotMs: 0 };
    const began = performance.now();
    const loading = pausing(snapshotRecords(layout, found), hot, async () => {
      await partial(run.index, hot);
      run.hotMs = performance.now() - began;
      run.early = await answers(run.index, run.wanted, run.dimensions);
      run.pausedMs = performance.now() - began - run.hotMs;
    });
    await index.restore({ ...found.config, hot, records: loading });
    const fullMs = performance.now() - began - run.pausedMs;
    const right = await answers(index, wanted, dimensions);
    await index.close();
    const tops = right.filter((ids, at) => ids[0] === run.early[at]?.[0]);
    const wholes = right.filter((ids, at) => ids.join() === run.early[at]?.join());
    return {
      ...{ records, dimensions, zipf: ZIPF, hot, queries },
      servableShare: tops.length / queries,
      wholeTopK: wholes.length / queries,
      timeShare: run.hotMs / fullMs,
      hotMs: Math.round(run.hotMs),
      fullMs: Math.round(fullMs),
    };
  } finally {
    await layout.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A rank by its Zipf probability, spread over the records so that neighbours are not all hot. */
function zipfOver(records: number): (at: number) => number {
  const sums = new Float64Array(records);
  let sum = 0;
  for (let rank = 0; rank < records; rank += 1) {
    sum += (rank + 1) ** -ZIPF;
    sums[rank] = sum;
  }
  return (at) => {
    let [low, high] = [0, records - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] ?? 0) < at * sum) low = middle + 1;
      else high = middle;
    }
    // A step that has no factor in common with a round number of records reaches each once.
    return (low * 7_919) % records;
  };
}

/** Engines take the next page while they load one: the hot part answers when the engine says so. */
async function partial(index: IndexStore, hot: number): Promise<void> {
  for (;;) {
    const standing = await index.standing();
    if (standing.kind === "partial" && standing.loaded >= hot) return;
    await setTimeout(1);
  }
}

/** Calls `then` once, as soon as so many records were taken in. */
async function* pausing<T>(
  pages: AsyncIterable<readonly T[]>,
  after: number,
  then: () => Promise<void>,
): AsyncGenerator<readonly T[], void, undefined> {
  let given = 0;
  let told = false;
  for await (const page of pages) {
    for (let at = 0; at < page.length; at += 1_000) {
      if (!told && given >= after) {
        told = true;
        await then();
      }
      const slice = page.slice(at, at + 1_000);
      yield slice;
      given += slice.length;
    }
  }
}

/** The best results for a question close to each record that is wanted. */
async function answers(
  index: IndexStore,
  wanted: readonly number[],
  dimensions: number,
): Promise<string[][]> {
  const noise = randomFrom(3);
  const found: string[][] = [];
  for (const n of wanted) {
    const vector = vectorOf(n, dimensions).map((value) => value + (noise() - 0.5) * 0.2);
    const query = { vector, embedding: "bench-1", audiences: ["public"], k: K };
    found.push((await index.search(query)).map(({ id }) => id));
  }
  return found;
}
