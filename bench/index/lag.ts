import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { openSqliteIndex } from "../../src/adapters/index-sqlite/index.ts";
import type { EmbeddedChange } from "../../src/ports/index.ts";
import { document, IndexEstate } from "../../test/support/index-estate.ts";
import { recordOf } from "./made-index.ts";

const DIMENSIONS = 384;
const PER_SECOND = 500;
const BATCH = 25;
/** How far behind a copy is that must catch up. */
const BEHIND_MS = 600_000;

export interface LagFigures {
  readonly dimensions: number;
  readonly upsertsPerSecond: number;
  readonly upserts: number;
  /** From the owner's acknowledgement until the replica has it on disk. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Entries a second of a copy that begins so many entries behind. */
  readonly catchUpEntries: number;
  readonly catchUpPerSecond: number;
  /** The same as a multiple of real time at the above rate. */
  readonly catchUpRatio: number;
}

/** Two agents as processes on loopback, with indexes in files and documents that are embedded. */
export async function benchLag({ quick }: { readonly quick: boolean }): Promise<LagFigures> {
  const folder = mkdtempSync(join(tmpdir(), "tideover-bench-lag-"));
  try {
    const lag = await measureLag(join(folder, "lag"), quick ? 10 : 60);
    const behind = quick ? 30_000 : (BEHIND_MS / 1_000) * PER_SECOND;
    const perSecond = await measureCatchUp(join(folder, "catch-up"), behind);
    return {
      ...{ dimensions: DIMENSIONS, upsertsPerSecond: PER_SECOND, upserts: lag.length * BATCH },
      p50Ms: rounded(percentile(lag, 0.5)),
      p99Ms: rounded(percentile(lag, 0.99)),
      catchUpEntries: behind,
      catchUpPerSecond: Math.round(perSecond),
      catchUpRatio: rounded(perSecond / PER_SECOND),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The lag of each batch. */
async function measureLag(folder: string, seconds: number): Promise<number[]> {
  const estate = await begin(folder);
  try {
    await estate.start("eu-west");
    await estate.start("us-east");
    const waiting: { seq: number; at: number }[] = [];
    const lags: number[] = [];
    const sending = new AbortController();
    const watched = watch(estate, waiting, lags, sending.signal);
    const began = performance.now();
    for (let n = 0; n < (seconds * PER_SECOND) / BATCH; n += 1) {
      const changes = Array.from({ length: BATCH }, (_, at) =>
        document(`doc-${n * BATCH + at}`, `What document ${n * BATCH + at} says of its own.`, n),
      );
      const { seq } = await estate.ingest("eu-west", changes);
      waiting.push({ seq, at: performance.now() });
      const due = began + ((n + 1) * BATCH * 1_000) / PER_SECOND;
      await setTimeout(Math.max(0, due - performance.now()));
    }
    sending.abort();
    await watched;
    return lags;
  } finally {
    await estate.end();
  }
}

/** Looks at the replica again and again, until all that was acknowledged is there. */
async function watch(
  estate: IndexEstate,
  waiting: { seq: number; at: number }[],
  lags: number[],
  done: AbortSignal,
): Promise<void> {
  while (!done.aborted || waiting.length > 0) {
    const { position } = await estate.position("us-east");
    const now = performance.now();
    for (
      let [first] = waiting;
      first !== undefined && first.seq <= position.seq;
      [first] = waiting
    ) {
      waiting.shift();
      lags.push(now - first.at);
    }
    await setTimeout(5);
  }
}

async function measureCatchUp(folder: string, entries: number): Promise<number> {
  const estate = await begin(folder);
  try {
    const owner = await openSqliteIndex({ path: estate.indexFile("eu-west") });
    for (let from = 0; from < entries; from += 1_000) {
      const count = Math.min(1_000, entries - from);
      await owner.append(1, changesFrom(from, count, estate.embedding));
    }
    await owner.close();
    await estate.start("eu-west");
    const began = performance.now();
    await estate.start("us-east");
    // From the first entry on: the start of a process is no part of catching up.
    let first = { at: began, seq: 0 };
    for (;;) {
      const { position } = await estate.position("us-east");
      const now = performance.now();
      if (first.seq === 0 && position.seq > 0) first = { at: now, seq: position.seq };
      if (position.seq === entries) return ((entries - first.seq) * 1_000) / (now - first.at);
      await setTimeout(5);
    }
  } finally {
    await estate.end();
  }
}

function changesFrom(from: number, count: number, embedding: string): EmbeddedChange[] {
  return Array.from({ length: count }, (_, at) => {
    const { vector: bytes, digest: _digest, ...record } = recordOf(from + at, DIMENSIONS);
    const vector = Buffer.from(bytes).toString("base64");
    const written = { ...record, embedding, labels: [...record.labels] };
    return { op: "upsert", ...written, sourceTime: from + at, vector };
  });
}

function begin(folder: string): Promise<IndexEstate> {
  const replication = { strategy: "continuous" } as const;
  return IndexEstate.begin({ folder, dimensions: DIMENSIONS, replication });
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
