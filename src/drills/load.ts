import OpenAI from "openai";
import { messageOf } from "../lib/errors.ts";
import type { Clock } from "../ports/clock.ts";
import { HEADERS } from "../wire/headers.ts";

/** One question that a caller asks, and what its right answer must hold. */
export interface Question {
  readonly tenant: string;
  readonly workflow: string;
  readonly text: string;
  /** Must be in the answer; null where any answer will do. */
  readonly expected: string | null;
}

/** What one caller got, seen from outside. */
export interface Outcome {
  readonly question: Question;
  readonly streamed: boolean;
  /** Wall clock, ms. */
  readonly sentAt: number;
  readonly endedAt: number;
  /**
   * `succeeded`: whole. `failed`: an error before any of the answer. `cut`: an error in the middle
   * of an answer. `silently-cut`: it ended as if it were finished, and was not: never allowed.
   */
  readonly result: "succeeded" | "failed" | "cut" | "silently-cut";
  readonly detail: string;
  readonly right: boolean;
  readonly requestId: string | null;
  readonly region: string | null;
  readonly release: string | null;
  readonly mode: string | null;
}

export interface LoadOptions {
  /** Gateway's base URL, without /v1. */
  readonly gateway: string;
  /** API key by tenant. */
  readonly keys: ReadonlyMap<string, string>;
  readonly questions: readonly Question[];
  readonly perSecond: number;
  /** Every n-th request of each workflow is streamed. */
  readonly streamEvery: number;
  /** No more than this, whatever happens: a load must end by itself. */
  readonly maxRequests: number;
  readonly clock: Clock;
  /** Breaks off what is under way: a person who pressed Ctrl-C waits for no held request. */
  readonly signal: AbortSignal;
}

export interface Load {
  /** What has ended so far, in order of ending. */
  readonly outcomes: readonly Outcome[];
  sent(): number;
  /** Resolves with the first outcome, already there or to come, that is looked for. */
  first(wanted: (outcome: Outcome) => boolean, timeoutMs: number): Promise<Outcome | null>;
  /** Sends nothing more, and waits until every request under way has ended. */
  stop(): Promise<readonly Outcome[]>;
}

/**
 * Callers as they are in life: the official client with its default retries, several tenants,
 * streamed and not. Open loop: a request is sent when it is due, whether or not the ones before
 * have been answered, so that a stalled region cannot hide by slowing its own load.
 */
export function startLoad(options: LoadOptions): Load {
  const clients = new Map(
    [...options.keys].map(([tenant, key]) => [tenant, clientFor(options.gateway, key)]),
  );
  const outcomes: Outcome[] = [];
  const listeners = new Set<(outcome: Outcome) => void>();
  const underWay = new Set<Promise<void>>();
  const stopped = new AbortController();
  let sent = 0;

  const turns = turnsByName();
  const send = (): void => {
    const question = options.questions[sent % options.questions.length];
    const client = question && clients.get(question.tenant);
    sent += 1;
    if (!client) return;
    const streamed = turns.next(question.workflow) % options.streamEvery === 0;
    const done = ask(client, question, streamed, options).then((outcome) => {
      outcomes.push(outcome);
      for (const listener of listeners) listener(outcome);
      underWay.delete(done);
    });
    underWay.add(done);
  };

  const pacing = pace(options, stopped.signal, send, () => sent < options.maxRequests);
  return {
    outcomes,
    sent: () => sent,
    first: (wanted, timeoutMs) =>
      firstOutcome(outcomes, listeners, wanted, timeoutMs, options.clock),
    stop: async () => {
      stopped.abort();
      await pacing;
      await Promise.all(underWay);
      return outcomes;
    },
  };
}

/**
 * Counts up for each name apart. One count for all would stream only every n-th question, and with
 * as many workflows as n always the same workflow's.
 */
function turnsByName(): { next(name: string): number } {
  const turns = new Map<string, number>();
  return {
    next: (name) => {
      const turn = (turns.get(name) ?? 0) + 1;
      turns.set(name, turn);
      return turn;
    },
  };
}

/** A client as its documentation shows it: two retries, no settings of ours. */
export function clientFor(gateway: string, apiKey: string): OpenAI {
  return new OpenAI({ baseURL: `${gateway}/v1`, apiKey });
}

/** Asks one question and tells what the caller got. Never throws. */
export async function ask(
  client: OpenAI,
  question: Question,
  streamed: boolean,
  { clock, signal }: Pick<LoadOptions, "clock" | "signal">,
): Promise<Outcome> {
  const sentAt = clock.now();
  const got = await (streamed
    ? askStreamed(client, question, signal)
    : askWhole(client, question, signal)
  ).catch(
    (error): Answer => ({ result: "failed", detail: describe(error), text: "", headers: null }),
  );
  const { result, detail, text, headers } = got;
  return {
    question,
    streamed,
    sentAt,
    endedAt: clock.now(),
    result,
    detail,
    right:
      result === "succeeded" && (question.expected === null || text.includes(question.expected)),
    requestId: headers?.get(HEADERS.requestId) ?? null,
    region: headers?.get(HEADERS.region) ?? null,
    release: headers?.get(HEADERS.release) ?? null,
    mode: headers?.get(HEADERS.mode) ?? null,
  };
}

interface Answer {
  readonly result: Outcome["result"];
  readonly detail: string;
  readonly text: string;
  readonly headers: Headers | null;
}

function body(question: Question): {
  model: string;
  messages: { role: "user"; content: string }[];
} {
  return { model: question.workflow, messages: [{ role: "user", content: question.text }] };
}

async function askWhole(client: OpenAI, question: Question, signal: AbortSignal): Promise<Answer> {
  const { data, response } = await client.chat.completions
    .create(body(question), { signal })
    .withResponse();
  const [choice] = data.choices;
  const finished = isFinished(choice?.finish_reason);
  return {
    result: finished ? "succeeded" : "silently-cut",
    detail: `finish_reason ${choice?.finish_reason}`,
    text: choice?.message.content ?? "",
    headers: response.headers,
  };
}

async function askStreamed(
  client: OpenAI,
  question: Question,
  signal: AbortSignal,
): Promise<Answer> {
  const { data, response } = await client.chat.completions
    .create({ ...body(question), stream: true }, { signal })
    .withResponse();
  const { headers } = response;
  let text = "";
  let finish: string | null = null;
  let began = false;
  try {
    for await (const chunk of data) {
      began = true;
      const [choice] = chunk.choices;
      text += choice?.delta.content ?? "";
      finish = choice?.finish_reason ?? finish;
    }
  } catch (error) {
    return { result: began ? "cut" : "failed", detail: describe(error), text, headers };
  }
  return {
    result: isFinished(finish) ? "succeeded" : "silently-cut",
    detail: `finish_reason ${finish}`,
    text,
    headers,
  };
}

/** As a model ends an answer by itself, or by the limit that the caller set. */
function isFinished(reason: string | null | undefined): boolean {
  return reason === "stop" || reason === "length";
}

function describe(error: unknown): string {
  return messageOf(error).slice(0, 300);
}

async function pace(
  { perSecond, clock }: LoadOptions,
  stopped: AbortSignal,
  send: () => void,
  allowed: () => boolean,
): Promise<void> {
  const interval = 1_000 / perSecond;
  let due = clock.monotonic();
  while (!stopped.aborted && allowed()) {
    send();
    due += interval;
    await clock.sleep(Math.max(0, due - clock.monotonic()), stopped);
  }
}

function firstOutcome(
  outcomes: readonly Outcome[],
  listeners: Set<(outcome: Outcome) => void>,
  wanted: (outcome: Outcome) => boolean,
  timeoutMs: number,
  clock: Clock,
): Promise<Outcome | null> {
  const present = outcomes.find(wanted);
  if (present) return Promise.resolve(present);
  const timeout = new AbortController();
  return new Promise((resolve) => {
    const listener = (outcome: Outcome): void => {
      if (wanted(outcome)) settle(outcome);
    };
    const settle = (outcome: Outcome | null): void => {
      listeners.delete(listener);
      timeout.abort();
      resolve(outcome);
    };
    listeners.add(listener);
    void clock.sleep(timeoutMs, timeout.signal).then(() => settle(null));
  });
}
