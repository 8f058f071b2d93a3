import OpenAI from "openai";
import { createFetch } from "../../src/client/create-fetch.ts";

/**
 * The callers, in a process of their own: the official client, as many whole questions a second as
 * asked for (when they are due, whatever became of those before), and so many streams that one is
 * always open in each place. Times are ms of CLOCK_MONOTONIC, which all processes share.
 */

export interface CallersPlan {
  /** Base URLs; without `drop-in` only the first is used. */
  readonly gateways: readonly string[];
  /** Through Tideover's own fetch, which moves between gateways. */
  readonly dropIn: boolean;
  readonly key: string;
  readonly model: string;
  /** Beside the key. */
  readonly headers: Readonly<Record<string, string>>;
  readonly perSecond: number;
  readonly streams: number;
  readonly whole: string;
  readonly streamed: string;
}

export interface Outcome {
  readonly streamed: boolean;
  readonly sentAt: number;
  readonly endedAt: number;
  /** `cut`: an error, or a silent end, after a part of the answer was there. */
  readonly result: "whole" | "error" | "cut";
  readonly text: string;
  readonly detail: string;
}

export interface CallersReport {
  readonly outcomes: readonly Outcome[];
  /** When the drop-in client first said that a gateway failed it, since `told: "watch"`. */
  readonly firstEventAt: number | null;
}

/** Whatever happens: a load must end by itself. */
const MOST_REQUESTS = 50_000;
/** An answer that takes longer than this is given up by its caller, and is an error. */
const PATIENCE_MS = 60_000;

/** For all that is open at the end, however slowly it goes on. */
const MOST_WAIT_MS = 180_000;

const plan: CallersPlan = JSON.parse(process.argv[2] ?? "{}");
const outcomes: Outcome[] = [];
/** Requests that have not ended, and what of them has come. */
const open = new Set<Open>();
const underWay = new Set<Promise<void>>();
let stopped = false;
let watching = false;
let firstEventAt: number | null = null;

function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

function clientOf(): OpenAI {
  const baseURL = `${plan.gateways[0]}/v1`;
  const onEvent = (): void => {
    if (watching) firstEventAt ??= monotonicMs();
  };
  const { key: apiKey, headers: defaultHeaders } = plan;
  const options = { baseURL, apiKey, defaultHeaders, timeout: PATIENCE_MS };
  return plan.dropIn
    ? new OpenAI({ ...options, fetch: createFetch({ gateways: plan.gateways, onEvent }) })
    : new OpenAI(options);
}

const client = clientOf();

interface Open {
  readonly streamed: boolean;
  readonly sentAt: number;
  text: string;
  /** When something of it came last. */
  heardAt: number;
}

interface Got {
  readonly result: Outcome["result"];
  readonly text: string;
  readonly detail: string;
}

async function ask(streamed: boolean): Promise<void> {
  const sentAt = monotonicMs();
  const one: Open = { streamed, sentAt, text: "", heardAt: sentAt };
  open.add(one);
  const got = await (streamed ? askStreamed(one) : askWhole()).catch(
    (error): Got => ({ result: "error", text: "", detail: String(error).slice(0, 200) }),
  );
  open.delete(one);
  outcomes.push({ streamed, sentAt, endedAt: monotonicMs(), ...got });
}

/** Who has waited this long has got no answer, or half of one. */
function giveUp({ streamed, sentAt, text, heardAt }: Open): Outcome {
  const detail = `it has no end, and nothing came for ${Math.round(monotonicMs() - heardAt)} ms`;
  const result = text === "" ? "error" : "cut";
  return { streamed, sentAt, endedAt: monotonicMs(), result, text, detail };
}

function messages(content: string): { role: "user"; content: string }[] {
  return [{ role: "user", content }];
}

async function askWhole(): Promise<Got> {
  const { model, whole } = plan;
  const answer = await client.chat.completions.create({ model, messages: messages(whole) });
  const [choice] = answer.choices;
  const text = choice?.message.content ?? "";
  return choice?.finish_reason === "stop"
    ? { result: "whole", text, detail: "" }
    : { result: "cut", text, detail: `finish_reason ${choice?.finish_reason}` };
}

async function askStreamed(one: Open): Promise<Got> {
  const { model, streamed } = plan;
  const body = { model, messages: messages(streamed), stream: true } as const;
  const events = await client.chat.completions.create(body);
  let finish: string | null = null;
  try {
    for await (const { choices } of events) {
      one.heardAt = monotonicMs();
      one.text += choices[0]?.delta.content ?? "";
      finish = choices[0]?.finish_reason ?? finish;
    }
  } catch (error) {
    return { result: "cut", text: one.text, detail: String(error).slice(0, 200) };
  }
  const { text } = one;
  return finish === "stop"
    ? { result: "whole", text, detail: "" }
    : { result: "cut", text, detail: `finish_reason ${finish}` };
}

function follow(work: Promise<void>): void {
  const done = work.finally(() => underWay.delete(done));
  underWay.add(done);
}

async function keepAsking(): Promise<void> {
  for (let count = 0; !stopped && count < MOST_REQUESTS; count++) await ask(true);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function pace(): Promise<void> {
  const began = monotonicMs();
  for (let sent = 0; !stopped && sent < MOST_REQUESTS; ) {
    const due = Math.floor(((monotonicMs() - began) * plan.perSecond) / 1_000);
    for (; sent < due; sent++) follow(ask(false));
    await pause(2);
  }
}

async function run(): Promise<void> {
  // Not all at once: answers of one length would else all end in the same moment, for ever.
  for (let count = 0; count < plan.streams && !stopped; count++) {
    follow(keepAsking());
    await pause(1_000 / plan.streams);
  }
  await pace();
}

/** Until none that is open has been told anything for long; one that is told slowly is not cut. */
async function untilAllSilent(): Promise<void> {
  const end = monotonicMs() + MOST_WAIT_MS;
  const heard = (): number => Math.max(...[...open].map(({ heardAt }) => heardAt));
  while (open.size > 0 && monotonicMs() - heard() < PATIENCE_MS && monotonicMs() < end)
    await pause(500);
}

async function report(): Promise<void> {
  stopped = true;
  await Promise.race([Promise.all(underWay), untilAllSilent()]);
  outcomes.push(...[...open].map(giveUp));
  const told: CallersReport = { outcomes, firstEventAt };
  process.send?.(told, () => process.exit(0));
}

process.on("message", (message) => {
  if (message === "start") void run();
  if (message === "watch") watching = true;
  if (message === "stop") void report();
});
process.once("disconnect", () => process.exit(0));
process.on("SIGINT", () => undefined);
process.send?.({ up: true });
