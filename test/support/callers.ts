import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import OpenAI from "openai";
import { DEFAULT_TIMEOUTS } from "../../src/gateway/options.ts";
import { messageOf } from "../../src/lib/errors.ts";
import { KEYS, type TestEstate } from "./estate.ts";

export const WORKFLOWS = ["support-search", "assistant", "summarize"] as const;

export function gatewayUrl({ estate }: Pick<TestEstate, "estate">, region: string): string {
  return `http://${estate.spec.regions[region]?.gateway}`;
}

/** The official client at one region's gateway. It does not try again unless it is told to. */
export function callerOf(
  up: Pick<TestEstate, "estate">,
  region: string,
  { key = KEYS.acme, maxRetries = 0 } = {},
): OpenAI {
  return new OpenAI({ baseURL: `${gatewayUrl(up, region)}/v1`, apiKey: key, maxRetries });
}

export interface Told {
  readonly text: string;
  readonly headers: Headers;
}

/** One question, read to its end. Rejects with the client's own error. */
export async function ask(
  client: OpenAI,
  workflow: string,
  question = "When do spare parts have to be handed over for the night run?",
  stream = false,
): Promise<Told> {
  const body = { model: workflow, messages: [{ role: "user" as const, content: question }] };
  if (!stream) {
    const { data, response } = await client.chat.completions.create(body).withResponse();
    return { text: data.choices[0]?.message.content ?? "", headers: response.headers };
  }
  const asked = client.chat.completions.create({ ...body, stream: true });
  const { data, response } = await asked.withResponse();
  let text = "";
  for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? "";
  return { text, headers: response.headers };
}

/** Between two questions of one caller. */
const EVERY_MS = 150;

export interface Traffic {
  /** Ends it, and gives what became of it. */
  stop(): Promise<{ readonly answered: number; readonly failures: readonly string[] }>;
}

/**
 * Callers that go on asking every workflow, one question at a time each, until they are stopped or
 * the test `t` is over: left behind by a test that failed, they would ask for good. With `whole`, by
 * workflow what the answer must be to the letter, another one is a failure.
 */
export function startTraffic(
  t: TestContext,
  clients: readonly OpenAI[],
  whole: ReadonlyMap<string, string> = new Map(),
): Traffic {
  const stopping = new AbortController();
  const failures: string[] = [];
  let answered = 0;
  const one = async (client: OpenAI): Promise<void> => {
    for (let turn = 0; !stopping.signal.aborted; turn += 1) {
      const workflow = WORKFLOWS[turn % WORKFLOWS.length] ?? "summarize";
      await ask(client, workflow, undefined, turn % 2 === 0).then(
        ({ text }) => {
          if (text === "") failures.push(`${workflow}: an empty answer`);
          else if (text !== (whole.get(workflow) ?? text)) failures.push(`${workflow}: "${text}"`);
          answered += 1;
        },
        (error) => failures.push(`${workflow}: ${messageOf(error)}`),
      );
      await pause(EVERY_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const ended = Promise.all(clients.map(one));
  t.after(() => stopping.abort());
  return {
    async stop() {
      stopping.abort();
      await ended;
      return { answered, failures };
    },
  };
}

/** From the store to a gateway, while the leader that should have brought it may be killed as well. */
const REACHES_GATEWAYS_MS = 5_000;

/**
 * Failures of callers that nothing excuses, when traffic was open again `openedMs` after a fault. A
 * request is held for so long and no longer: on a machine that stands still, whoever asked at the
 * very beginning may be told then, in so many words, that nobody answers.
 */
export function unexcused(failures: readonly string[], openedMs: number): readonly string[] {
  if (openedMs + REACHES_GATEWAYS_MS < DEFAULT_TIMEOUTS.holdMs) return failures;
  return failures.filter((why) => !/: 503 No region answers/.test(why));
}
