import fc from "fast-check";
import { type Frame, readFrame } from "../core/stream/frame.ts";
import { allTexts, EMPTY_STREAM, follow, type StreamState } from "../core/stream/state.ts";
import { formatSse, SseParser } from "../wire/sse.ts";
import { createFetch } from "./create-fetch.ts";
import {
  type Behaviour,
  bytes,
  chop,
  type End,
  EU,
  fakeGateways,
  type Got,
  idleWorld,
  resumeOf,
  sse,
  tellingOf,
  US,
} from "./gateways.fixture.ts";
import type { ClientEvent } from "./tools.ts";

export type Data = Readonly<Record<string, unknown>>;

/** What a caller got of a stream. */
export interface Read {
  readonly data: readonly string[];
  readonly state: StreamState;
  /** How the reading failed; null when it ended by itself. */
  readonly error: unknown;
}

export async function readAll(response: Response): Promise<Read> {
  const parser = new SseParser();
  const data: string[] = [];
  let state = EMPTY_STREAM;
  let error: unknown = null;
  try {
    for await (const piece of response.body ?? []) {
      for (const item of parser.push(piece)) {
        state = follow(state, readFrame(item));
        if (item.kind === "event") data.push(item.data);
      }
    }
  } catch (thrown) {
    error = thrown;
  }
  return { data, state, error };
}

/** What a choice says, as far as it was read. */
export function textsRead({ choices }: StreamState, index = 0) {
  const choice = choices.get(index);
  return choice === undefined ? {} : allTexts(choice);
}

export function framesOf(data: readonly string[]): Frame[] {
  return data.map((one) => readFrame({ kind: "event", event: "message", data: one }));
}

/** The meaning of an answer: what must be equal however it was cut. */
export function meaning({ choices, usage, done, fault, id }: StreamState) {
  const said = [...choices].map(([index, choice]) => ({
    index,
    texts: allTexts(choice),
    toolCalls: [...choice.toolCalls.values()],
    finish: choice.finish,
  }));
  return { choices: said.sort((a, b) => a.index - b.index), usage, done, fault, id };
}

export function meant(events: readonly string[]) {
  return meaning(framesOf(events).reduce(follow, EMPTY_STREAM));
}

/** The same answer under a gateway's own id, as every model run has one. */
export function under(id: string, events: readonly Data[]): string[] {
  return [...events.map((event) => JSON.stringify({ id, created: 5, ...event })), "[DONE]"];
}

export const delta = (index: number, said: Data, finish: string | null = null): Data => ({
  choices: [{ index, delta: said, finish_reason: finish }],
});
export const text = (content: string, index = 0): Data => delta(index, { content });

/** A question for a stream of `n` choices. */
export const question = (n: number): RequestInit => ({
  method: "POST",
  body: JSON.stringify({ model: "support", messages: [], stream: true, n }),
});
export const CHAT_URL = `${EU}/v1/chat/completions`;

/** A gateway that tells this much of what it would tell, and then ends so. */
export function cutAt(id: string, events: readonly Data[], at: number, end: End): Behaviour {
  return (got) => {
    const whole = bytes(tellingOf(under(id, events), resumeOf(got)));
    return sse([whole.subarray(0, at)], end);
  };
}

export function whole(id: string, events: readonly Data[]): Behaviour {
  return cutAt(id, events, Number.POSITIVE_INFINITY, "close");
}

/** Bytes up to behind the n-th event. */
export function behind(id: string, events: readonly Data[], n: number): number {
  const told = under(id, events).slice(0, n);
  return bytes(told.map((data) => formatSse(data)).join("")).length;
}

export interface CutPlace {
  /** Taken modulo the length of what is told. */
  readonly at: number;
  readonly end: End;
}

export const anyCuts = fc.array(
  fc.record({ at: fc.nat(), end: fc.constantFrom<End>("close", "break") }),
  { maxLength: 5 },
);
export const anyPlaces = fc.array(fc.nat(), { maxLength: 8 });

/** Gateways that tell this in these pieces; the first answers are cut in turn, whoever tells them. */
export function cutting(
  tells: Record<string, (got: Got) => string | Promise<string>>,
  cuts: readonly CutPlace[],
  places: readonly number[],
): Record<string, Behaviour> {
  const left = [...cuts];
  const behave =
    (tell: (got: Got) => string | Promise<string>): Behaviour =>
    async (got) => {
      const all = bytes(await tell(got));
      const next = left.shift();
      if (next === undefined) return sse(chop(all, places), "close");
      return sse(chop(all.subarray(0, next.at % all.length), places), next.end);
    };
  return Object.fromEntries(Object.entries(tells).map(([base, tell]) => [base, behave(tell)]));
}

export function clientOver(behave: Record<string, Behaviour>) {
  const fake = fakeGateways(behave);
  const events: ClientEvent[] = [];
  const onEvent = (event: ClientEvent): void => void events.push(event);
  const world = idleWorld();
  const send = createFetch({ gateways: [EU, US], fetch: fake.fetch, world, onEvent });
  return { fake, world, events, send, ask: (n = 1) => send(CHAT_URL, question(n)) };
}
