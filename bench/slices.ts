import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { type Contender, startUpstream } from "./contenders/contender.ts";
import { passThrough } from "./contenders/pass-through.ts";
import { tideover } from "./contenders/tideover.ts";
import { Load } from "./load/client.ts";
import { Slicer } from "./load/slices.ts";
import { Bench } from "./support/bench.ts";
import { percentile, rounded, shown, table } from "./support/figures.ts";

const USAGE = `npm run bench:slices -- [--other <checkout>] [--slices 200] [--streams 300] [--json]

What a request and an event of a stream cost in processor time: this checkout, another one and the
bare pass-through. Requests in slices of 60 ms in turn, on connections that stay open; streams on all
of them at once. What else the machine does hits all of them alike, so that a few percent are seen
where rounds of seconds differ by more. --json ends with one line of JSON.`;

const SLICE_MS = 60;
/** In turns as well: a connection that is idle for five seconds is closed by the pass-through. */
const WARM_UP = { turns: 8, ms: 1_000 };
const CONNECTIONS = 32;
const STREAMS_MS = 10_000;

interface Measured {
  readonly name: string;
  /** Processor time of each slice, µs a request. */
  readonly requestUs: readonly number[];
  readonly eventUs: number;
}

interface Party {
  readonly name: string;
  readonly contender: Contender;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      other: { type: "string" },
      slices: { type: "string", default: "200" },
      streams: { type: "string", default: "300" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return void process.stdout.write(`${USAGE}\n`);
  const slices = countOf("--slices", values.slices);
  const streams = countOf("--streams", values.streams);
  const bench = new Bench();
  bench.pinSelf();
  try {
    const parties = await startAll(bench, values.other);
    const requests = await measureRequests(parties, slices);
    const events = await measureEvents(bench, parties, streams);
    const measured = parties.map(({ name }, at) => ({
      name,
      requestUs: requests[at] ?? [],
      eventUs: events[at] ?? Number.NaN,
    }));
    process.stdout.write(`${report(measured)}\n`);
    if (values.json) process.stdout.write(`${jsonLine(measured)}\n`);
  } finally {
    bench.stop();
  }
}

function countOf(flag: string, text: string): number {
  const count = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : 0;
  if (count === 0) throw new Error(`${flag} ${text}: write a whole number from 1`);
  return count;
}

async function startAll(bench: Bench, other: string | undefined): Promise<Party[]> {
  const upstream = await startUpstream(bench);
  const parties = [
    { name: "passThrough", contender: await passThrough(bench, upstream) },
    { name: "this", contender: await tideover(1)(bench, upstream) },
  ];
  if (other === undefined) return parties;
  // Its own way to start it: which flags it wants is a part of what is compared.
  const theirs = await checkoutOf(other);
  const contender = await theirs.tideover(1)(new theirs.Bench(), upstream);
  return [...parties, { name: "other", contender }];
}

interface Checkout {
  readonly tideover: typeof tideover;
  readonly Bench: typeof Bench;
}

async function checkoutOf(folder: string): Promise<Checkout> {
  const at = (...path: string[]): string =>
    pathToFileURL(join(resolve(folder), "bench", ...path)).href;
  try {
    const contenders = await import(at("contenders", "tideover.ts"));
    const support = await import(at("support", "bench.ts"));
    return { tideover: contenders.tideover, Bench: support.Bench };
  } catch (error) {
    const because = error instanceof Error ? error.message : String(error);
    throw new Error(`--other ${folder}: no checkout of Tideover that can be started: ${because}`);
  }
}

/** By party, the processor time of each of its slices, in µs a request. */
async function measureRequests(parties: readonly Party[], slices: number): Promise<number[][]> {
  const loads = await Promise.all(
    parties.map(({ contender }) => Slicer.open(contender.aim, CONNECTIONS)),
  );
  const all = parties.map(({ contender }, at) => ({
    contender,
    load: loads[at],
    us: [0].slice(1),
  }));
  for (let turn = 0; turn < WARM_UP.turns; turn++) {
    for (const { load } of all) await load?.slice(WARM_UP.ms);
  }
  for (let turn = 0; turn < slices; turn++) {
    // Whoever comes first finds the machine as the last one left it: each is that in its turn.
    const first = turn % all.length;
    for (const { contender, load, us } of [...all.slice(first), ...all.slice(0, first)]) {
      const before = cpuUs(contender.pid);
      const requests = (await load?.slice(SLICE_MS)) ?? 0;
      us.push((cpuUs(contender.pid) - before) / requests);
    }
  }
  for (const load of loads) load.close();
  return all.map(({ us }) => us);
}

/** By party, processor time in µs an event, with streams open on all of them at the same time. */
async function measureEvents(
  bench: Bench,
  parties: readonly Party[],
  count: number,
): Promise<number[]> {
  const loads = await Promise.all(parties.map(() => Load.start(bench)));
  const all = parties.map(({ contender }, at) => ({ contender, load: loads[at] }));
  for (const { contender, load } of all) {
    await load?.streams({ aim: contender.aim, atOnce: 50, each: 20, events: 20, gapMs: 5 });
  }
  return Promise.all(
    all.map(async ({ contender: { aim, pid }, load }) => {
      let before = 0;
      const job = { aim, count, gapMs: 20, forMs: STREAMS_MS };
      const held = await load?.hold(job, () => {
        before = cpuUs(pid);
      });
      const events = ((held?.eventsPerSecond ?? 0) * STREAMS_MS) / 1_000;
      return (cpuUs(pid) - before) / events;
    }),
  );
}

/** Processor time of all threads of a process, µs. Ticks of 10 ms would be too coarse for slices. */
function cpuUs(pid: number | undefined): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.reduce((sum, thread) => sum + threadNs(`/proc/${pid}/task/${thread}`), 0) / 1e3;
  } catch {
    return Number.NaN;
  }
}

function threadNs(folder: string): number {
  try {
    return Number(readFileSync(join(folder, "schedstat"), "utf8").split(" ")[0]);
  } catch {
    // It has ended since.
    return 0;
  }
}

function report(measured: readonly Measured[]): string {
  const heading = ["", "µs a request", "10th percentile", "ratio", "µs an event", "ratio"];
  const rows = measured.map((one) => [
    one.name,
    shown(percentile(one.requestUs, 0.5), 1),
    shown(percentile(one.requestUs, 0.1), 1),
    shown(requestRatio(measured, one)),
    shown(one.eventUs, 1),
    shown(eventRatio(measured, one)),
  ]);
  return `Processor time; the pass-through's divided by each, medians:\n${table([heading, ...rows])}`;
}

/** Slice by slice: neighbours share what else the machine did. */
function requestRatio([base]: readonly Measured[], { requestUs }: Measured): number {
  const ratios = requestUs.map((us, at) => (base?.requestUs[at] ?? Number.NaN) / us);
  return percentile(ratios, 0.5);
}

function eventRatio([base]: readonly Measured[], { eventUs }: Measured): number {
  return (base?.eventUs ?? Number.NaN) / eventUs;
}

function jsonLine(measured: readonly Measured[]): string {
  const figures = measured.map((one) => [
    one.name,
    {
      requestUs: rounded(percentile(one.requestUs, 0.5)),
      requestRatio: rounded(requestRatio(measured, one), 3),
      eventUs: rounded(one.eventUs),
      eventRatio: rounded(eventRatio(measured, one), 3),
    },
  ]);
  return JSON.stringify(Object.fromEntries(figures));
}

main().then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
