import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openSqliteIndex } from "../../src/adapters/index-sqlite/index.ts";
import { encodeNames } from "../../src/core/reconcile/range-wire.ts";
import { judgePosition } from "../../src/core/reconcile/scrub.ts";
import type { RecordMark } from "../../src/model/record.ts";
import type { IndexStore } from "../../src/ports/index.ts";
import { IndexPeer } from "../../src/region/indexes/ask.ts";
import { compareWith } from "../../src/region/indexes/compare.ts";
import { mend } from "../../src/region/indexes/repair.ts";
import { scrubAll } from "../../src/region/indexes/scrub.ts";
import { median, shown, table } from "../support/figures.ts";
import { type BenchAgents, INDEX, startAgents } from "./agents.ts";
import type { IndexBench } from "./part.ts";
import { benchRecord, fill, ownBytes } from "./vectors.ts";

const DIMENSIONS = 128;
const ROOT = { prefix: 0, bits: 0 };
/** Comparisons of the same few differences: the median of their times is told. */
const TIMES = 5;
const FEW = 100;

interface Found {
  readonly n: number;
  readonly d: number;
  readonly bytes: number;
  readonly rounds: number;
  readonly compareMs: number;
  /** Everything that was moved to repair, in multiples of the records' own bytes. */
  readonly repairBytesRatio: number;
  readonly repairMs: number;
}

interface Listed {
  readonly n: number;
  readonly bytes: number;
  readonly ms: number;
  readonly scrubMs: number;
}

/**
 * Two copies of n vectors in files, equal but for d records that were written otherwise; asked over
 * HTTP on loopback. Bytes are those of all bodies, both ways, as they are sent (base64 in JSON).
 * `reconcile` in the line of JSON: the comparison for d = 1, the repair for d = 100.
 */
export async function measureReconcile(bench: IndexBench): Promise<object> {
  const largest = bench.quick ? 100_000 : 1_000_000;
  const sizes = bench.quick ? [1_000, 10_000, largest] : [10_000, 100_000, largest];
  const found: Found[] = [];
  const listed: Listed[] = [];
  for (const n of sizes) {
    const many = n === largest ? [1, 10, 100, 1_000, 10_000] : [1, 100];
    const one = await measureSize(bench, n, many);
    found.push(...one.found);
    listed.push(one.listed);
  }
  report(bench, found, listed);
  const at = (d: number) => found.find((one) => one.n === largest && one.d === d);
  return {
    n: largest,
    d: 1,
    bytes: at(1)?.bytes,
    rounds: at(1)?.rounds,
    compareMs: at(1)?.compareMs,
    repairBytesRatio: at(100)?.repairBytesRatio,
    repairD: 100,
    growth: found,
    fullList: listed,
  };
}

async function measureSize(bench: IndexBench, n: number, many: readonly number[]) {
  bench.tell(`reconcile: writing ${n.toLocaleString("en")} vectors of ${DIMENSIONS} dimensions`);
  const path = (name: string): string => join(bench.folder, `${name}-${n}.db`);
  const owner = await openSqliteIndex({ path: path("owner") });
  await fill(owner, n, DIMENSIONS);
  await owner.close();
  copyFileSync(path("owner"), path("replica"));
  const stores = [
    await openSqliteIndex({ path: path("owner") }),
    await openSqliteIndex({ path: path("replica") }),
  ] as const;
  const agents = await startAgents(...stores);
  try {
    const found: Found[] = [];
    for (const d of many) {
      bench.tell(`reconcile: ${d} of ${n.toLocaleString("en")} differ`);
      found.push(await measureDifferences(agents, stores[1], n, d));
    }
    return { found, listed: await measureList(agents, ...stores, n) };
  } finally {
    await agents.close();
    for (const store of stores) await store.close();
    for (const name of ["owner", "replica"]) rmSync(path(name), { force: true });
  }
}

async function measureDifferences(
  { world, replica, ownership }: BenchAgents,
  store: IndexStore,
  n: number,
  d: number,
): Promise<Found> {
  const at = await store.position();
  const numbers = Array.from({ length: d }, (_, i) => Math.floor(((i + 0.5) * n) / d));
  const others = numbers.map((number) => benchRecord(number, DIMENSIONS, 1));
  for (let from = 0; from < d; from += 500) {
    await store.repair({ at, put: others.slice(from, from + 500), drop: [] });
  }
  const compared = [];
  for (let time = 0; time < (d > FEW ? 1 : TIMES); time += 1) {
    const peer = new IndexPeer(world, ownership.region, INDEX);
    const most = Number.POSITIVE_INFINITY;
    compared.push(await compareWith(world, replica, peer, { most, whole: false }));
  }
  const findings = judgePosition(await store.sums([ROOT], 0), at);
  const mended = await mend(world, replica, ownership, findings);
  const left = judgePosition(await store.sums([ROOT], 0), at);
  const [first] = compared;
  if (first?.differing !== d || mended.put !== d || left.length > 0) {
    throw new Error(`${d} differ, ${first?.differing} were found and ${mended.put} mended`);
  }
  const own = others.reduce((sum, record) => sum + ownBytes(record), 0);
  return {
    n,
    d,
    bytes: first.bytes,
    rounds: first.rounds,
    compareMs: median(compared.map(({ tookMs }) => tookMs)),
    repairBytesRatio: mended.bytes / own,
    repairMs: mended.tookMs,
  };
}

/** What one would do without ranges: send all ids and digests, and compare them one by one. */
async function measureList(
  { world, replica }: BenchAgents,
  owner: IndexStore,
  own: IndexStore,
  n: number,
): Promise<Listed> {
  const began = performance.now();
  const theirs = await owner.marks(ROOT);
  const bytes = Math.ceil((encodeNames(theirs).length * 4) / 3);
  const differing = differingIds(await own.marks(ROOT), theirs);
  const ms = performance.now() - began;
  if (differing.length > 0) throw new Error(`${differing.length} records were not mended`);
  const looked = performance.now();
  const { findings } = await scrubAll(world, replica);
  if (findings.length > 0) throw new Error("the repaired copy is not whole");
  return { n, bytes, ms, scrubMs: performance.now() - looked };
}

function differingIds(own: readonly RecordMark[], theirs: readonly RecordMark[]): string[] {
  const digests = new Map(own.map(({ id, digest }) => [id, digest]));
  return theirs.filter(({ id, digest }) => digests.get(id) !== digest).map(({ id }) => id);
}

function report(bench: IndexBench, found: readonly Found[], listed: readonly Listed[]): void {
  const whole = (value: number): string => shown(value, 0);
  bench.print(
    table([
      ["vectors", "differ", "bytes", "rounds", "compare ms", "repair: bytes / own", "repair ms"],
      ...found.map((one) => [
        whole(one.n),
        whole(one.d),
        whole(one.bytes),
        whole(one.rounds),
        shown(one.compareMs, 1),
        shown(one.repairBytesRatio),
        shown(one.repairMs, 1),
      ]),
    ]),
  );
  bench.print("");
  bench.print(
    table([
      ["vectors", "full list: bytes", "full list: ms", "whole scrub of one copy: ms"],
      ...listed.map((one) => [whole(one.n), whole(one.bytes), whole(one.ms), whole(one.scrubMs)]),
    ]),
  );
  bench.print("");
}
