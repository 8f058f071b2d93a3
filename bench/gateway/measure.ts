import type { Contender, Name } from "../contenders/contender.ts";
import type { Load } from "../load/client.ts";
import type { ClosedResult, HoldResult, OpenResult, StreamsResult } from "../load/jobs.ts";
import { median } from "../support/figures.ts";
import { usageOf } from "../support/usage.ts";
import type { Sizes } from "./sizes.ts";

export type ByName<T> = ReadonlyMap<Name, T>;

/** One round of requests as fast as they are answered. */
export interface Round extends ClosedResult {
  /** Share of a core that the contender used. */
  readonly core: number;
  /** Requests for each second of its processor time: noise of other processes does not count. */
  readonly perCpuSecond: number;
}

export interface Held extends HoldResult {
  readonly core: number;
  readonly bytesEach: number;
}

/** By requests a second; null for a rate that is beyond what the contender can answer at all. */
export type Latencies = ReadonlyMap<number, OpenResult | null>;

/**
 * Rounds alternate: what else the machine does while one contender runs would otherwise be that
 * contender's fault. Each is warmed up first, or the compiler's work would be measured.
 */
export async function measureThroughput(
  load: Load,
  contenders: readonly Contender[],
  sizes: Sizes,
): Promise<ByName<readonly Round[]>> {
  const rounds = new Map<Name, Round[]>();
  for (const contender of contenders) await round(load, contender, sizes, sizes.warmUpMs);
  for (let count = 0; count < sizes.rounds; count++) {
    for (const contender of contenders) {
      const before = rounds.get(contender.name) ?? [];
      const result = await round(load, contender, sizes, sizes.roundMs);
      rounds.set(contender.name, [...before, result]);
    }
  }
  return rounds;
}

async function round(
  load: Load,
  { name, aim, pid }: Contender,
  { connections }: Sizes,
  forMs: number,
): Promise<Round> {
  const before = usageOf(pid);
  const began = performance.now();
  const result = await load.closed({ aim, connections, forMs });
  const wallMs = performance.now() - began;
  const cpuMs = usageOf(pid).cpuMs - before.cpuMs;
  // A gateway that refuses is fast, and no comparison.
  if (result.failed > result.requests / 100)
    throw new Error(`${name} failed ${result.failed} requests, the first: ${result.firstFailure}`);
  return { ...result, core: cpuMs / wallMs, perCpuSecond: (result.requests * 1_000) / cpuMs };
}

/** A rate close to what a contender can do at most measures its queue and not the contender. */
const HIGHEST_SHARE = 0.8;

/**
 * In alternating rounds as well: one pause of the machine of a tenth of a second is the 99th
 * percentile of a whole round at the higher rate, whoever is measured then.
 */
export async function measureLatency(
  load: Load,
  contenders: readonly Contender[],
  throughput: ByName<readonly Round[]>,
  { rates, rateMs, rounds }: Sizes,
): Promise<ByName<Latencies>> {
  const measured = new Map<Name, Map<number, OpenResult | null>>();
  for (const perSecond of rates) {
    const able = contenders.filter(({ name }) => {
      const most = Math.max(...(throughput.get(name) ?? []).map((one) => one.perSecond));
      return perSecond <= most * HIGHEST_SHARE;
    });
    const results = new Map<Name, OpenResult[]>();
    for (let count = 0; count < rounds; count++) {
      for (const { name, aim } of able) {
        const result = await load.open({ aim, perSecond, forMs: rateMs });
        results.set(name, [...(results.get(name) ?? []), result]);
      }
    }
    for (const { name } of contenders) {
      const result = middle(results.get(name) ?? []);
      measured.set(name, (measured.get(name) ?? new Map()).set(perSecond, result));
    }
  }
  return measured;
}

function middle(results: readonly OpenResult[]): OpenResult | null {
  if (results.length === 0) return null;
  return {
    sent: total(results.map(({ sent }) => sent)),
    failed: total(results.map(({ failed }) => failed)),
    kept: Math.min(...results.map(({ kept }) => kept)),
    p50: median(results.map(({ p50 }) => p50)),
    p99: median(results.map(({ p99 }) => p99)),
  };
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

export async function measureStreams(
  load: Load,
  contenders: readonly Contender[],
  sizes: Sizes,
): Promise<ByName<StreamsResult>> {
  const measured = new Map<Name, StreamsResult>();
  for (const { name, aim } of contenders) {
    const job = {
      aim,
      atOnce: sizes.streamsAtOnce,
      events: sizes.eventsEach,
      gapMs: sizes.eventGapMs,
    };
    // The code of streams is other code than that of whole answers, and wants warming up, too.
    await load.streams({ ...job, each: Math.ceil(sizes.streamsEach / 4) });
    measured.set(name, await load.streams({ ...job, each: sizes.streamsEach }));
  }
  return measured;
}

/**
 * Each in a fresh process: one that has just answered tens of thousands of requests holds memory
 * that it gives back, or does not, whenever it likes, and the difference would say nothing.
 */
export async function measureHeld(
  load: Load,
  contenders: readonly Contender[],
  startAgain: (name: Name) => Promise<Contender>,
  sizes: Sizes,
): Promise<ByName<Held>> {
  const measured = new Map<Name, Held>();
  for (const { stop } of contenders) stop();
  for (const { name } of contenders) {
    const fresh = await startAgain(name);
    measured.set(name, await hold(load, fresh, sizes));
    fresh.stop();
    // Closing a thousand connections is work, and the next one's figures shall not pay for it.
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return measured;
}

async function hold(
  load: Load,
  { aim, pid }: Contender,
  { held, heldGapMs, heldMs }: Sizes,
): Promise<Held> {
  await load.streams({ aim, atOnce: 50, each: 4, events: 20, gapMs: 5 });
  const idle = usageOf(pid);
  let opened = idle;
  let openedAt = performance.now();
  const job = { aim, count: held, gapMs: heldGapMs, forMs: heldMs };
  const result = await load.hold(job, () => {
    opened = usageOf(pid);
    openedAt = performance.now();
  });
  const end = usageOf(pid);
  return {
    ...result,
    core: (end.cpuMs - opened.cpuMs) / (performance.now() - openedAt),
    bytesEach: (Math.max(opened.residentBytes, end.residentBytes) - idle.residentBytes) / held,
  };
}
