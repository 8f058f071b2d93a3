import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../../src/sim/random.ts";
import { type Outcome, startLoad } from "./callers.ts";
import { type Flatness, judgeFlat } from "./flat.ts";
import { DEADLINE_MS, type Gateway, MARGIN_MS, startWorld, type World } from "./gateways.ts";
import { collections, type Sample, sample } from "./samples.ts";

export interface SoakOptions {
  readonly seed: number;
  readonly ms: number;
  /** Requests a second, over both gateways. */
  readonly perSecond: number;
  /** Told a line now and then. */
  readonly tell: (line: string) => void;
  /** Ends the load early; what was seen until then is judged. */
  readonly signal: AbortSignal;
}

export interface SoakReport {
  readonly seed: number;
  readonly seconds: number;
  /** How many requests ended in each way; errors by status and code. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  readonly allowedMs: number;
  readonly gateways: readonly (Flatness & Told)[];
  /** Everything that may not be; empty when the soak was passed. */
  readonly failures: readonly string[];
}

interface Told {
  readonly region: string;
  /** Lines of its log that tell an error. */
  readonly errors: readonly string[];
}

/** Wrong answers that are told in words; the rest is only counted. */
const MOST_TOLD = 20;
const MOST_SAMPLES = 720;
const LEAST_SAMPLE_MS = 500;

/**
 * Two gateway processes under load before upstreams that fail in every way, for so long; then the
 * load ends and everything must be as before. Rejects only when it could not be run.
 */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const folder = mkdtempSync(join(tmpdir(), "tideover-soak-"));
  try {
    const world = await startWorld(folder, options.seed);
    try {
      return await under(world, options);
    } finally {
      await world.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function under(world: World, options: SoakOptions): Promise<SoakReport> {
  const { gateways, played } = world;
  const tally = new Tally();
  const idle = idleCounts(gateways);
  const from = performance.now();
  const watching = new Watching(gateways, from, options);
  const random = seededRandom(options.seed);
  const load = startLoad(gateways, random, options.perSecond, (outcome) => tally.add(outcome));
  await pause(options.ms, options.signal);
  await load.stop();
  watching.stop();
  const seconds = (performance.now() - from) / 1_000;
  const after = await Promise.all(gateways.map((gateway, at) => quiet(gateway, idle[at] ?? 0)));
  const flat = gateways.map((gateway, at) => ({
    region: gateway.region,
    errors: linesOf(gateway.log(), ERROR),
    ...judgeFlat({
      samples: watching.samplesOf(gateway),
      collections: collections(gateway.log()),
      idle: idle[at] ?? 0,
      after: after[at] ?? Number.NaN,
    }),
  }));
  const failures = [
    ...tally.wrong,
    ...gateways.flatMap(troubleOf),
    ...flat.flatMap(({ region, faults }) => faults.map((fault) => `${region}: ${fault}`)),
  ];
  return {
    seed: options.seed,
    seconds,
    outcomes: tally.outcomes,
    faults: Object.fromEntries([...played].sort(([, a], [, b]) => b - a)),
    slowestMs: tally.slowestMs,
    allowedMs: DEADLINE_MS + MARGIN_MS,
    gateways: flat,
    failures,
  };
}

/** Counts, and keeps the first wrong ones. */
class Tally {
  readonly outcomes: Record<string, number> = {};
  readonly wrong: string[] = [];
  slowestMs = 0;

  add({ verdict, tookMs, asked }: Outcome): void {
    const { kind } = verdict;
    const name = kind === "error" ? `error ${verdict.code}` : kind;
    this.outcomes[name] = (this.outcomes[name] ?? 0) + 1;
    this.slowestMs = Math.max(this.slowestMs, tookMs);
    if (kind !== "wrong" || this.wrong.length >= MOST_TOLD) return;
    this.wrong.push(`${JSON.stringify(asked)} after ${Math.round(tookMs)} ms: ${verdict.because}`);
  }
}

/** Looks at each gateway's process in even steps. */
class Watching {
  readonly #samples = new Map<string, Sample[]>();
  readonly #timers: NodeJS.Timeout[];

  constructor(gateways: readonly Gateway[], from: number, { ms, tell }: SoakOptions) {
    const look = (): void => {
      for (const { region, pid, ended } of gateways) {
        if (ended() !== null) continue;
        const samples = this.#samples.get(region) ?? [];
        samples.push(sample(pid, performance.now() - from));
        this.#samples.set(region, samples);
      }
    };
    look();
    const line = (): void => tell(gateways.map(({ region }) => this.#newest(region)).join("; "));
    this.#timers = [
      setInterval(look, Math.max(LEAST_SAMPLE_MS, ms / MOST_SAMPLES)),
      setInterval(line, Math.max(10_000, ms / 60)),
    ];
  }

  samplesOf({ region }: Gateway): readonly Sample[] {
    return this.#samples.get(region) ?? [];
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  #newest(region: string): string {
    const newest = this.#samples.get(region)?.at(-1);
    if (newest === undefined) return `${region}: nothing`;
    const { residentBytes, descriptors, sockets } = newest;
    const mib = Math.round(residentBytes / 1024 / 1024);
    return `${region}: ${mib} MiB, ${descriptors} descriptors, ${sockets} sockets`;
  }
}

/** What gateways hold that were never asked anything. */
function idleCounts(gateways: readonly Gateway[]): number[] {
  return gateways.map(({ pid }) => sample(pid, 0).descriptors);
}

/** Gateways keep an unused connection to each other for 65 s; nothing else is open so long. */
const SETTLE_MS = 90_000;

/** Until it holds no more than before the load, or will not: what it holds then. */
async function quiet({ pid, ended }: Gateway, idle: number): Promise<number> {
  const end = performance.now() + SETTLE_MS;
  for (;;) {
    if (ended() !== null) return Number.NaN;
    const { descriptors } = sample(pid, 0);
    if (descriptors <= idle || performance.now() > end) return descriptors;
    await pause(250);
  }
}

/** What no log of a sound process holds: a rejection that nobody caught, a fault in our own code. */
const TROUBLE =
  /unhandled|uncaught|TypeError|RangeError|ReferenceError|MaxListenersExceeded|out of memory|failed inside the gateway|"level":60/i;
/** What it could not do, and said: a disk that is too slow for an audit record is no fault of ours. */
const ERROR = /"level":50/;

function troubleOf({ region, ended, log }: Gateway): string[] {
  const end = ended();
  const bad = linesOf(log(), TROUBLE).slice(0, 3);
  return [
    ...(end === null ? [] : [`${region}: the process ended (${end})`]),
    ...bad.map((line) => `${region}: its log says ${line.slice(0, 400)}`),
  ];
}

function linesOf(log: string, pattern: RegExp): string[] {
  return log.split("\n").filter((line) => pattern.test(line));
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
