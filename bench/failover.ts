import { parseArgs } from "node:util";
import { KEY } from "./contenders/contender.ts";
import type { CallersPlan, CallersReport } from "./failover/callers.ts";
import { SURVIVOR, startVictims, VICTIM, type Victims, WORKFLOW } from "./failover/estate.ts";
import { FAULTS, type Fault } from "./failover/faults.ts";
import { type Expected, type FaultResult, judge } from "./failover/judge.ts";
import { watch } from "./failover/watch.ts";
import { Bench, firstMessage } from "./support/bench.ts";
import { table } from "./support/figures.ts";

const USAGE = `npm run bench:failover -- [--client] [--quick] [--json] [--rate 200] [--streams 200] [--only kill-runtime,…]

Breaks one thing after the other on a real two-region estate under load, and prints what callers
saw of it. The callers use the official client at the surviving region's gateway; with --client they
use it with Tideover's fetch, which knows both gateways. --json ends with one line of JSON.
Faults: ${FAULTS.map(({ name }) => name).join(", ")}.`;

interface Settings {
  readonly dropIn: boolean;
  readonly perSecond: number;
  readonly streams: number;
  readonly beforeMs: number;
  readonly afterMs: number;
  readonly faults: readonly Fault[];
}

/** A short answer, so that its time is that of one exchange. */
const SHORT = "Goods go back in thirty days. Keep the box. Ask us first.";

/** An answer of some five seconds: long enough that most faults find it half told. */
const LONG = [
  "Returned goods are taken back by every depot of the network within thirty days of their delivery if the seal of the box is whole and the goods in it are as they were when they left the warehouse, and the transport of returned goods is paid by whoever caused the return, which is us when the goods were damaged on the way to the customer and the customer when the goods were as ordered and are returned because they are not wanted any more after all.",
  "The seal says that the box was closed at the warehouse.",
  "Depots open at seven in the morning.",
].join(" ");

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      client: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
      rate: { type: "string", default: "200" },
      streams: { type: "string", default: "200" },
      only: { type: "string" },
    },
  });
  if (values.help) return void process.stdout.write(`${USAGE}\n`);
  const settings: Settings = {
    dropIn: values.client,
    perSecond: countOf("--rate", values.rate),
    streams: countOf("--streams", values.streams),
    beforeMs: values.quick ? 7_000 : 12_000,
    afterMs: values.quick ? 10_000 : 20_000,
    faults: chosen(values.only),
  };
  const bench = new Bench();
  try {
    const results: FaultResult[] = [];
    for (const [round, fault] of settings.faults.entries())
      results.push(await tryFault(bench, fault, settings, round));
    process.stdout.write(`${report(results, settings)}\n`);
    // The peers of issue 3 (HAProxy with redispatch, Portkey with fallbacks) are not measured yet.
    if (values.json) process.stdout.write(`${JSON.stringify({ faults: results, peers: {} })}\n`);
  } finally {
    bench.stop();
  }
}

function countOf(flag: string, text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0 && count <= 2_000) return count;
  throw new Error(`${flag} ${text} is no count; write a whole number from 1 to 2000`);
}

function chosen(only: string | undefined): readonly Fault[] {
  if (only === undefined) return FAULTS;
  return only.split(",").map((wanted) => {
    const fault = FAULTS.find(({ name }) => name === wanted.trim());
    if (fault !== undefined) return fault;
    const known = FAULTS.map(({ name }) => name).join(", ");
    throw new Error(`--only ${wanted}: no such fault; write some of ${known}`);
  });
}

/** A fresh estate for each: a fault must not be measured on what the one before left behind. */
async function tryFault(
  bench: Bench,
  fault: Fault,
  settings: Settings,
  round: number,
): Promise<FaultResult> {
  progress(`${fault.name}: ${fault.what}`);
  const victims = await startVictims(bench, round);
  try {
    return await strike(bench, victims, fault, settings);
  } finally {
    await victims.stop();
  }
}

async function strike(
  bench: Bench,
  victims: Victims,
  fault: Fault,
  settings: Settings,
): Promise<FaultResult> {
  const expected = await uncut(victims);
  const plan = JSON.stringify(callersPlan(victims, settings));
  const callers = bench.startOwn("failover/callers.ts", [plan], null);
  await firstMessage(callers);
  callers.send("start");
  await pause(settings.beforeMs);
  const watcher = await watch(victims, monotonicMs);
  callers.send("watch");
  const struckAt = monotonicMs();
  await fault.strike(victims);
  await pause(settings.afterMs);
  const told = firstMessage<CallersReport>(callers);
  callers.send("stop");
  const { outcomes, firstEventAt } = await told;
  const noticed = watcher.stop();
  const byClient = firstEventAt === null ? null : { at: firstEventAt, by: "the drop-in client" };
  const first = [noticed, byClient]
    .filter((one) => one !== null)
    .sort((a, b) => a.at - b.at)
    .at(0);
  return {
    ...judge(fault.name, outcomes, struckAt, expected),
    detectMs: first === undefined ? null : Math.round(first.at - struckAt),
    detectedBy: first?.by ?? null,
  };
}

function callersPlan(victims: Victims, { dropIn, perSecond, streams }: Settings): CallersPlan {
  const both = [victims.gateways[VICTIM] ?? "", victims.gateways[SURVIVOR] ?? ""];
  return {
    gateways: dropIn ? both : both.slice(1),
    dropIn,
    key: KEY,
    model: WORKFLOW,
    perSecond,
    streams,
    whole: SHORT,
    streamed: LONG,
  };
}

/** The answers as they are when nothing breaks: the reference runtime always says the same. */
async function uncut(victims: Victims): Promise<Expected> {
  const ask = async (content: string): Promise<string> => {
    const response = await fetch(`${victims.gateways[SURVIVOR]}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ model: WORKFLOW, messages: [{ role: "user", content }] }),
    });
    const body = (await response.json()) as {
      readonly choices?: readonly { readonly message: { readonly content: string } }[];
    };
    const text = body.choices?.[0]?.message.content;
    if (text !== undefined) return text;
    throw new Error(`the estate did not answer before any fault: ${JSON.stringify(body)}`);
  };
  return { whole: await ask(SHORT), streamed: await ask(LONG) };
}

function report(results: readonly FaultResult[], { dropIn, perSecond, streams }: Settings): string {
  const heads = ["errors", "cut", "duplicated", "lost", "detect ms", "added p50", "p99", "hit"];
  const rows = results.map((one) => [
    one.name,
    ...[one.errors, one.cut, one.duplicated, one.lost].map(String),
    ...[one.detectMs, one.addedP50Ms, one.addedP99Ms].map((ms) => String(ms ?? "-")),
    `${one.hit} of ${one.requests + one.streams}`,
  ]);
  const who = dropIn ? "Tideover's fetch, both gateways" : "the surviving gateway alone";
  const failures = results.flatMap(({ name, firstFailure, detectedBy }) => [
    ...(detectedBy === null ? [] : [`${name} was noticed first by: ${detectedBy}`]),
    ...(firstFailure === null ? [] : [`${name}, first failure: ${firstFailure}`]),
  ]);
  return [
    `${perSecond} requests/s and ${streams} open streams, the official client at ${who}`,
    "",
    table([["", ...heads], ...rows]),
    "",
    ...failures,
  ].join("\n");
}

function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function progress(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}

main().then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
