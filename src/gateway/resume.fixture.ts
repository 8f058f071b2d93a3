import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { APIError } from "openai";
import type { ChatCompletionChunk } from "openai/resources/chat/completions";
import { clientOf, QUESTION, type World } from "../../test/support/gateway-world.ts";
import type { Behaviour } from "../../test/support/upstream.ts";
import type { Target } from "../model/snapshot.ts";
import { type RunningRuntime, startRuntime } from "../runtime/server.ts";

export const ASKED = {
  ...QUESTION,
  messages: [
    {
      role: "user" as const,
      content:
        "The tide turns twice a day. The tide is strong at the cape. Ships wait for it. How often does it turn?",
    },
  ],
};

export const CAPABILITIES = ["continue-final-message", "none"] as const;

export function runtime(world: World, tokenDelayMs = 0): Promise<RunningRuntime> {
  return world.own(
    startRuntime({
      model: "m",
      modelDigest: "sha256:00",
      embeddingModel: "lexical-1",
      embeddingSalt: "",
      tokenDelayMs,
    }),
  );
}

/** The runtime's own stream, of which only so many events come through; then it ends in this way. */
export function cutting(
  real: RunningRuntime,
  events: number,
  then: (response: ServerResponse) => void,
): Behaviour {
  return async (asked, response) => {
    const blocks = await blocksOf(real, asked);
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(blocks.slice(0, events).join(""), () => then(response));
  };
}

/** Says what a runtime would, and does something before each event. */
export function speaking(real: RunningRuntime, before: (nth: number) => Promise<void>): Behaviour {
  return async (asked, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const [nth, block] of (await blocksOf(real, asked)).entries()) {
      await before(nth);
      response.write(block);
    }
    response.end();
  };
}

async function blocksOf(real: RunningRuntime, { body, headers }: Parameters<Behaviour>[0]) {
  const answer = await fetch(`${real.url}/v1/chat/completions`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-request-id": String(headers["x-request-id"]),
    },
    body: JSON.stringify(body),
  });
  return (await answer.text()).split(/(?<=\n\n)/);
}

export const reset = (response: ServerResponse): void => void response.socket?.resetAndDestroy();

export interface Heard {
  readonly text: string[];
  readonly finishes: (string | null)[];
  readonly chunks: ChatCompletionChunk[];
  readonly requestId: string;
  readonly error: APIError | null;
}

export async function listen(
  url: string,
  more: object = {},
  onText: () => unknown = () => null,
): Promise<Heard> {
  const { data, response } = await clientOf(url)
    .chat.completions.create({ ...ASKED, stream: true, ...more })
    .withResponse();
  const chunks: ChatCompletionChunk[] = [];
  const text: string[] = [];
  const finishes: (string | null)[] = [];
  let error: APIError | null = null;
  try {
    for await (const one of data) {
      chunks.push(one);
      for (const { index, delta, finish_reason } of one.choices) {
        text[index] = (text[index] ?? "") + (delta.content ?? "");
        if (finish_reason !== null && finish_reason !== undefined) finishes.push(finish_reason);
        if (delta.content) await onText();
      }
    }
  } catch (thrown) {
    assert.ok(thrown instanceof APIError);
    error = thrown;
  }
  return { text, finishes, chunks, error, requestId: response.headers.get("x-request-id") ?? "" };
}

export function targetsOf(
  urls: readonly string[],
  continuation: Target["continuation"],
  prefix = "target",
): Target[] {
  return urls.map((url, i) => ({
    name: `${prefix}-${i + 1}`,
    url,
    model: "m",
    keyEnv: null,
    ...(continuation === undefined ? {} : { continuation }),
  }));
}
