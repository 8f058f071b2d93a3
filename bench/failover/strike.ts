import { KEY } from "../contenders/contender.ts";
import { type Bench, firstMessage } from "../support/bench.ts";
import type { CallersPlan, CallersReport } from "./callers.ts";
import type { Fault } from "./faults.ts";
import { type Expected, type FaultResult, judge } from "./judge.ts";
import type { Site, StartSite } from "./site.ts";
import { startVictims, type Victims } from "./victims.ts";

/** The script: who asks how much for how long, the same for whoever is measured. */
export interface Script {
  /** Through Tideover's own fetch, which knows all gateways of a site. */
  readonly dropIn: boolean;
  readonly perSecond: number;
  readonly streams: number;
  readonly beforeMs: number;
  readonly afterMs: number;
}

/** A short answer, so that its time is that of one exchange. */
const SHORT = "Goods go back in thirty days. Keep the box. Ask us first.";

/** An answer of some five seconds: long enough that most faults find it half told. */
const LONG = [
  "Returned goods are taken back by every depot of the network within thirty days of their delivery if the seal of the box is whole and the goods in it are as they were when they left the warehouse, and the transport of returned goods is paid by whoever caused the return, which is us when the goods were damaged on the way to the customer and the customer when the goods were as ordered and are returned because they are not wanted any more after all.",
  "The seal says that the box was closed at the warehouse.",
  "Depots open at seven in the morning.",
].join(" ");

/** Everything afresh for each: a fault must not be measured on what the one before left behind. */
export async function tryFault(
  bench: Bench,
  start: StartSite,
  fault: Fault,
  script: Script,
  round: number,
): Promise<FaultResult> {
  const victims = await startVictims(bench);
  try {
    const site = await start(bench, victims, round);
    try {
      return await strike(bench, { site, victims, fault, script });
    } finally {
      await site.stop();
    }
  } finally {
    victims.stop();
  }
}

interface Round {
  readonly site: Site;
  readonly victims: Victims;
  readonly fault: Fault;
  readonly script: Script;
}

async function strike(bench: Bench, { site, victims, fault, script }: Round): Promise<FaultResult> {
  const expected = await uncut(site);
  const plan = JSON.stringify(callersPlan(site, script));
  const callers = bench.startOwn("failover/callers.ts", [plan], null);
  await firstMessage(callers);
  callers.send("start");
  await pause(script.beforeMs);
  const watcher = await site.watch(monotonicMs);
  callers.send("watch");
  const struckAt = monotonicMs();
  await fault.strike(victims);
  await pause(script.afterMs);
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

function callersPlan(site: Site, { dropIn, perSecond, streams }: Script): CallersPlan {
  const { gateways, model, headers } = site;
  return {
    gateways: dropIn ? gateways : gateways.slice(-1),
    dropIn,
    key: KEY,
    model,
    headers,
    perSecond,
    streams,
    whole: SHORT,
    streamed: LONG,
  };
}

/** The answers as they are when nothing breaks: the reference runtime always says the same. */
async function uncut({ gateways, model, headers }: Site): Promise<Expected> {
  const ask = async (content: string): Promise<string> => {
    const response = await fetch(`${gateways.at(-1)}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json", ...headers },
      body: JSON.stringify({ model, messages: [{ role: "user", content }] }),
    });
    const body = (await response.json()) as {
      readonly choices?: readonly { readonly message: { readonly content: string } }[];
    };
    const text = body.choices?.[0]?.message.content;
    if (text !== undefined) return text;
    throw new Error(`it did not answer before any fault: ${JSON.stringify(body)}`);
  };
  return { whole: await ask(SHORT), streamed: await ask(LONG) };
}

function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
