import { type Frame, readFrame } from "../core/stream/frame.ts";
import { EMPTY_STREAM, follow, type StreamState } from "../core/stream/state.ts";
import { SseParser } from "../wire/sse.ts";
import { createFetch } from "./create-fetch.ts";
import { type Behaviour, EU, fakeGateways, idleWorld, US } from "./gateways.fixture.ts";
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

export function framesOf(data: readonly string[]): Frame[] {
  return data.map((one) => readFrame({ kind: "event", event: "message", data: one }));
}

/** The meaning of an answer: what must be equal however it was cut. */
export function meaning({ choices, usage, done, fault, id }: StreamState) {
  const said = [...choices].map(([index, { texts, toolCalls, finish }]) => ({
    index,
    texts,
    toolCalls: [...toolCalls.values()],
    finish,
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

export function clientOver(behave: Record<string, Behaviour>) {
  const fake = fakeGateways(behave);
  const events: ClientEvent[] = [];
  const onEvent = (event: ClientEvent): void => void events.push(event);
  const world = idleWorld();
  const send = createFetch({ gateways: [EU, US], fetch: fake.fetch, world, onEvent });
  return { fake, world, events, send, ask: (n = 1) => send(CHAT_URL, question(n)) };
}
