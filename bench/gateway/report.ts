import type { Contender, Name } from "../contenders/contender.ts";
import type { StreamsResult } from "../load/jobs.ts";
import { median, rounded, shown, table } from "../support/figures.ts";
import type { ByName, Held, Latencies, Round } from "./measure.ts";
import type { Sizes } from "./sizes.ts";

/** All that one run found. */
export interface Measured {
  readonly cores: string;
  readonly sizes: Sizes;
  readonly contenders: readonly Contender[];
  readonly absent: Readonly<Record<string, string>>;
  readonly throughput: ByName<readonly Round[]>;
  readonly latency: ByName<Latencies>;
  readonly streams: ByName<StreamsResult>;
  readonly held: ByName<Held>;
}

const PEERS = ["passThrough", "haproxy", "nginx", "portkey"] as const;

/** Below this share of its core, a contender waited for load or core, and its requests/s say little. */
const BUSY = 0.85;

/**
 * Ours divided by theirs, the median over the rounds: two rounds side by side share what else the
 * machine was doing, so their ratio is steadier than either figure.
 */
function ratio(measured: Measured, peer: Name, of: (round: Round) => number): number {
  const ours = measured.throughput.get("tideover") ?? [];
  const theirs = measured.throughput.get(peer) ?? [];
  return median(ours.map((round, at) => of(round) / of(theirs[at] ?? round)));
}

function present(measured: Measured): readonly Name[] {
  return PEERS.filter((peer) => measured.throughput.has(peer));
}

export function report(measured: Measured): string {
  const absent = Object.entries(measured.absent).map(([name, why]) => `${name}: left out, ${why}`);
  return [
    `Tideover's gateway beside others (${measured.cores})`,
    "",
    "Ours divided by theirs, medians:",
    ratioTable(measured),
    "",
    `As fast as they answer, ${measured.sizes.connections} connections, medians of ${measured.sizes.rounds} rounds:`,
    throughputTable(measured),
    "",
    "Added to the upstream's own time, in ms:",
    latencyTable(measured),
    "",
    `${measured.sizes.held} open streams, each ${1_000 / measured.sizes.heldGapMs} events/s:`,
    heldTable(measured),
    "",
    ...measured.contenders.map(({ name, note }) => `${name}: ${note}`),
    ...absent,
  ].join("\n");
}

function ratioTable(measured: Measured): string {
  const rows = present(measured).map((peer) => [
    peer,
    shown(ratio(measured, peer, ({ perSecond }) => perSecond)),
    shown(ratio(measured, peer, ({ perCpuSecond }) => perCpuSecond)),
  ]);
  return table([["", "requests/s", "requests per CPU second"], ...rows]);
}

function throughputTable({ contenders, throughput }: Measured): string {
  const rows = contenders.map(({ name, pid }) => {
    const rounds = throughput.get(name) ?? [];
    const core = median(rounds.map((round) => round.core));
    const limited = pid !== undefined && core < BUSY ? " (not full)" : "";
    return [
      name,
      shown(median(rounds.map((round) => round.perSecond)), 0),
      shown(median(rounds.map((round) => round.perCpuSecond)), 0),
      shown(median(rounds.map((round) => round.p50))),
      shown(median(rounds.map((round) => round.p99))),
      shown(core) + limited,
    ];
  });
  return table([["", "requests/s", "per CPU second", "p50 ms", "p99 ms", "cores"], ...rows]);
}

/** What a contender adds to what load and upstream take without it. */
function added(measured: Measured, name: Name) {
  const rates = measured.sizes.rates.map((rate) => {
    const bare = measured.latency.get("direct")?.get(rate);
    const with_ = measured.latency.get(name)?.get(rate);
    const kept = with_?.kept ?? Number.NaN;
    return {
      rate,
      kept,
      p50: (with_?.p50 ?? Number.NaN) - (bare?.p50 ?? Number.NaN),
      p99: (with_?.p99 ?? Number.NaN) - (bare?.p99 ?? Number.NaN),
    };
  });
  const bare = measured.streams.get("direct");
  const streams = measured.streams.get(name);
  const minus = (of: (result: StreamsResult) => number): number =>
    streams && bare ? of(streams) - of(bare) : Number.NaN;
  return {
    rates,
    firstTokenP50: minus(({ first50 }) => first50),
    firstTokenP99: minus(({ first99 }) => first99),
    eventP50: minus(({ delay50 }) => delay50),
    eventP99: minus(({ delay99 }) => delay99),
    gapP99: minus(({ stretch99 }) => stretch99),
    failedStreams: streams?.failed ?? Number.NaN,
  };
}

function latencyTable(measured: Measured): string {
  const names = measured.contenders.map(({ name }) => name).filter((name) => name !== "direct");
  const rows = names.map((name) => {
    const { rates, ...streams } = added(measured, name);
    return [
      name,
      ...rates.flatMap(({ p50, p99 }) => [shown(p50), shown(p99)]),
      shown(streams.firstTokenP50),
      shown(streams.firstTokenP99),
      shown(streams.eventP50),
      shown(streams.eventP99),
      shown(streams.gapP99),
    ];
  });
  const heads = measured.sizes.rates.flatMap((rate) => [`${rate}/s p50`, `${rate}/s p99`]);
  const streams = ["1st token p50", "p99", "event p50", "p99", "gap p99"];
  return table([["", ...heads, ...streams], ...rows]);
}

function heldTable({ contenders, held }: Measured): string {
  const rows = contenders.map(({ name }) => {
    const one = held.get(name);
    return [
      name,
      shown(one?.open ?? Number.NaN, 0),
      shown(one?.eventsPerSecond ?? Number.NaN, 0),
      shown(one?.core ?? Number.NaN),
      shown((one?.bytesEach ?? Number.NaN) / 1_024, 1),
      shown(one?.delay99 ?? Number.NaN),
      shown(one?.failed ?? Number.NaN, 0),
    ];
  });
  return table([["", "open", "events/s", "cores", "KiB each", "event p99 ms", "failed"], ...rows]);
}

/** One line for machines; peers that are absent here are absent there. */
export function jsonLine(measured: Measured): string {
  const ratios = present(measured).map((peer) => [
    peer,
    rounded(
      ratio(measured, peer, ({ perSecond }) => perSecond),
      3,
    ),
  ]);
  const perCpu = present(measured).map((peer) => [
    peer,
    rounded(
      ratio(measured, peer, ({ perCpuSecond }) => perCpuSecond),
      3,
    ),
  ]);
  const figures = measured.contenders.map(({ name }) => [name, figuresOf(measured, name)]);
  return JSON.stringify({
    ratios: Object.fromEntries(ratios),
    ratiosPerCpu: Object.fromEntries(perCpu),
    cores: measured.cores,
    figures: Object.fromEntries(figures),
    absent: measured.absent,
  });
}

function figuresOf(measured: Measured, name: Name) {
  const rounds = measured.throughput.get(name) ?? [];
  const held = measured.held.get(name);
  const { rates, ...streams } = added(measured, name);
  return {
    perSecond: rounded(median(rounds.map((round) => round.perSecond)), 0),
    perCpuSecond: rounded(median(rounds.map((round) => round.perCpuSecond)), 0),
    cores: rounded(median(rounds.map((round) => round.core))),
    addedMs: rates.map(({ rate, kept, p50, p99 }) => ({
      rate,
      kept: rounded(kept, 3),
      p50: rounded(p50, 3),
      p99: rounded(p99, 3),
    })),
    addedStreamMs: Object.fromEntries(
      Object.entries(streams).map(([key, value]) => [key, rounded(value, 3)]),
    ),
    held: {
      open: held?.open ?? null,
      eventsPerSecond: rounded(held?.eventsPerSecond ?? Number.NaN, 0),
      cores: rounded(held?.core ?? Number.NaN),
      kibEach: rounded((held?.bytesEach ?? Number.NaN) / 1_024, 1),
      failed: held?.failed ?? null,
    },
  };
}
