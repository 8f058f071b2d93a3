import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { after, before, test } from "node:test";
import OpenAI, { APIError } from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { TideoverError } from "../lib/errors.ts";
import { embeddingFingerprint, FINGERPRINT_PROMPT } from "../wire/fingerprint.ts";
import type { ChatChunk, ChatRequest, ChatResponse } from "../wire/openai.ts";
import { SseParser } from "../wire/sse.ts";
import { createEmbedder } from "./embedding.ts";
import { type RunningRuntime, startRuntime } from "./server.ts";
import type { RuntimeOptions } from "./state.ts";

const OPTIONS: RuntimeOptions = {
  model: "ref-1",
  modelDigest: "sha256:0011",
  embeddingModel: "ref-embed",
  embeddingSalt: "v1",
};

const SYSTEM =
  '<document id="a" title="Tides">\nThe tide turns twice a day.\nThe lamp is lit at dusk.\n</document>';
const QUESTION = "How often does the tide turn in a day?";
const ANSWER = "The material says: The tide turns twice a day. (from: a)";

const CHAT: ChatRequest = {
  model: "ref-1",
  messages: [
    { role: "system", content: SYSTEM },
    { role: "user", content: QUESTION },
  ],
};

let runtime: RunningRuntime;
let client: OpenAI;

before(async () => {
  runtime = await startRuntime(OPTIONS);
  client = new OpenAI({ apiKey: "none", baseURL: `${runtime.url}/v1`, maxRetries: 0 });
});

after(async () => {
  await runtime.close();
});

function post(
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  const raw = typeof body === "string" || body instanceof Uint8Array;
  return fetch(`${runtime.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: raw ? (body as string) : JSON.stringify(body),
  });
}

async function errorOf(
  response: Response,
): Promise<{ code: string; param: string; message: string }> {
  const body = (await response.json()) as {
    error: { code: string; param: string; message: string };
  };
  return body.error;
}

async function chunksOf(body: ChatRequest): Promise<(ChatChunk | "[DONE]")[]> {
  const response = await post("/v1/chat/completions", { ...body, stream: true });
  const items = new SseParser().push(new Uint8Array(await response.arrayBuffer()));
  return items.map((item) => {
    assert.equal(item.kind, "event");
    const data = item.kind === "event" ? item.data : "";
    return data === "[DONE]" ? data : (JSON.parse(data) as ChatChunk);
  });
}

const messages = [
  { role: "system" as const, content: SYSTEM },
  { role: "user" as const, content: QUESTION },
];

test("the official client gets an answer with its usage", async () => {
  const answer = await client.chat.completions.create({ model: "ref-1", messages });
  assert.equal(answer.choices[0]?.message.content, ANSWER);
  assert.equal(answer.choices[0]?.finish_reason, "stop");
  assert.ok((answer.usage?.prompt_tokens ?? 0) > 20);
  assert.equal(answer.usage?.completion_tokens, 16);
});

test("the official client reads the same answer from a stream", async () => {
  const stream = await client.chat.completions.create({ model: "ref-1", messages, stream: true });
  let text = "";
  const finishes: (string | null)[] = [];
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    finishes.push(chunk.choices[0]?.finish_reason ?? null);
  }
  assert.equal(text, ANSWER);
  assert.deepEqual(finishes.filter(Boolean), ["stop"]);
  assert.equal(finishes.at(-1), "stop");
});

test("a stream has its role first, its usage last when asked, then the end mark", async () => {
  const chunks = await chunksOf({ ...CHAT, stream_options: { include_usage: true } });
  assert.equal(chunks.pop(), "[DONE]");
  const parts = chunks.filter((chunk) => chunk !== "[DONE]");
  assert.deepEqual(parts[0]?.choices[0]?.delta, { role: "assistant", content: "" });
  const last = parts.pop();
  assert.deepEqual(last?.choices, []);
  assert.equal(last?.usage?.completion_tokens, 16);
  assert.ok(parts.every((chunk) => chunk.usage === null));
  const plain = await chunksOf(CHAT);
  assert.ok(plain.every((chunk) => chunk === "[DONE]" || !("usage" in chunk)));
});

test("logprobs are told of each token when asked, whole and streamed", async () => {
  const asked = { model: "ref-1", messages, logprobs: true, top_logprobs: 2 };
  const { choices } = await client.chat.completions.create(asked);
  const whole = choices[0]?.logprobs?.content ?? [];
  assert.equal(whole.map(({ token }) => token).join(""), ANSWER);
  const [first] = whole;
  assert.deepEqual([first?.token, first?.bytes], ["The", [84, 104, 101]]);
  assert.equal(first?.top_logprobs.length, 2);
  const { top_logprobs, ...said } = first;
  assert.deepEqual(top_logprobs[0], said, "greedy: what is said is what is likeliest");
  assert.ok(Number(top_logprobs[1]?.logprob) < said.logprob && said.logprob < 0);
  const streamed = [];
  for await (const chunk of await client.chat.completions.create({ ...asked, stream: true }))
    streamed.push(...(chunk.choices[0]?.logprobs?.content ?? []));
  assert.deepEqual(streamed, whole);
  const plain = await client.chat.completions.create({ model: "ref-1", messages });
  assert.equal(plain.choices[0]?.logprobs, null);
});

test("the answer stands in the schema that was asked for, also when it is continued", async () => {
  const shape = z.object({
    said: z.string(),
    kind: z.enum(["fact", "guess"]),
    weight: z.number().nullable(),
    more: z.array(z.string()),
  });
  const response_format = zodResponseFormat(shape, "saying");
  const asked = { model: "ref-1", messages, response_format };
  const { choices } = await client.chat.completions.parse(asked);
  const expected = { said: ANSWER, kind: "fact", weight: 0, more: [] };
  assert.deepEqual(choices[0]?.message.parsed, expected);
  const text = choices[0]?.message.content ?? "";
  const half = { role: "assistant" as const, content: text.slice(0, 20) };
  const flags = { continue_final_message: true, add_generation_prompt: false };
  const rest = await client.chat.completions.create({
    ...asked,
    messages: [...messages, half],
    ...flags,
  });
  assert.equal(half.content + rest.choices[0]?.message.content, text);
});

test("n choices are alike, whole and streamed", async () => {
  const answer = await client.chat.completions.create({ model: "ref-1", messages, n: 2 });
  assert.deepEqual(
    answer.choices.map(({ index, message }) => [index, message.content]),
    [
      [0, ANSWER],
      [1, ANSWER],
    ],
  );
  const texts = ["", ""];
  for (const chunk of await chunksOf({ ...CHAT, n: 2 })) {
    const choice = chunk === "[DONE]" ? undefined : chunk.choices[0];
    if (choice !== undefined) texts[choice.index] += choice.delta.content ?? "";
  }
  assert.deepEqual(texts, [ANSWER, ANSWER]);
});

test("a tool call reaches the official client whole and in pieces", async () => {
  const body = {
    model: "ref-1",
    messages: [
      { role: "system" as const, content: "Use tool: search" },
      { role: "user" as const, content: QUESTION },
    ],
    tools: [{ type: "function" as const, function: { name: "search", parameters: {} } }],
  };
  const answer = await client.chat.completions.create(body);
  const call = answer.choices[0]?.message.tool_calls?.[0];
  assert.equal(answer.choices[0]?.finish_reason, "tool_calls");
  assert.ok(call?.type === "function");
  assert.deepEqual(JSON.parse(call.function.arguments), { query: QUESTION });
  // The client's own helper puts the pieces together, and throws when they do not fit.
  const streamed = await client.chat.completions.stream(body).finalChatCompletion();
  const pieced = streamed.choices[0]?.message.tool_calls?.[0];
  assert.ok(pieced?.type === "function");
  assert.deepEqual(pieced.function.arguments, call.function.arguments);
});

test("a cut answer is continued to the byte", async () => {
  const half = "The material says: The tide tu";
  const response = await post("/v1/chat/completions", {
    ...CHAT,
    messages: [...CHAT.messages, { role: "assistant", content: half }],
    continue_final_message: true,
    add_generation_prompt: false,
  });
  const answer = (await response.json()) as ChatResponse;
  assert.equal(half + answer.choices[0]?.message.content, ANSWER);
});

test("equal requests get equal answers but ids of their own", async () => {
  const one = (await (await post("/v1/chat/completions", CHAT)).json()) as ChatResponse;
  const two = (await (await post("/v1/chat/completions", CHAT)).json()) as ChatResponse;
  assert.deepEqual(one.choices, two.choices);
  assert.notEqual(one.id, two.id);
  assert.equal(one.id.replace(/-\d+$/, ""), two.id.replace(/-\d+$/, ""));
});

test("the request id comes back, on errors too", async () => {
  for (const body of [CHAT, "{"]) {
    const response = await post("/v1/chat/completions", body, { "x-request-id": "req-7" });
    await response.body?.cancel();
    assert.equal(response.headers.get("x-request-id"), "req-7");
  }
});

test("embeddings are the same as floats and as base64, and fit the embedding version", async () => {
  const { embed } = createEmbedder({ salt: "v1" });
  const wanted = ["The tide.", "The lamp."].map((text) => embeddingFingerprint(embed(text)));
  for (const encoding of [undefined, "float", "base64"] as const) {
    const input = ["The tide.", "The lamp."];
    const format = encoding === undefined ? {} : { encoding_format: encoding };
    const response = await client.embeddings.create({ model: "ref-embed", input, ...format });
    const got = response.data.map(({ embedding }) => {
      if (typeof embedding !== "string") return embeddingFingerprint(embedding);
      const bytes = Buffer.from(embedding, "base64");
      return embeddingFingerprint([...new Float32Array(new Uint8Array(bytes).buffer)]);
    });
    assert.deepEqual(got, wanted);
    assert.deepEqual(
      response.data.map(({ index }) => index),
      [0, 1],
    );
  }
});

test("embedding requests that cannot be met are refused", async () => {
  const wrong = await post("/v1/embeddings", { model: "ref-embed", input: "a", dimensions: 5 });
  assert.equal(wrong.status, 400);
  assert.equal((await errorOf(wrong)).param, "dimensions");
  const long = await post("/v1/embeddings", { model: "ref-embed", input: "word ".repeat(9000) });
  assert.equal((await errorOf(long)).code, "context_length_exceeded");
  const unknown = await post("/v1/embeddings", { model: "ref-1", input: "a" });
  assert.equal(unknown.status, 404);
});

test("the model list says plainly what serves here", async () => {
  const list = await client.models.list();
  assert.deepEqual(
    list.data.map(({ id }) => id),
    ["ref-1", "ref-embed"],
  );
  for (const entry of list.data) {
    assert.equal(entry.owned_by, "tideover-reference");
    assert.equal(Reflect.get(entry, "weights"), "none");
  }
  const chat = await client.models.retrieve("ref-1");
  assert.equal(Reflect.get(chat, "artifact_digest"), "sha256:0011");
  assert.equal(Reflect.get(list.data[1] ?? {}, "embedding_version"), "v1");
  await assert.rejects(client.models.retrieve("nobody"), (error) => {
    return error instanceof APIError && error.status === 404 && error.code === "model_not_found";
  });
});

test("the fingerprint probe tells one artifact from another", async () => {
  const other = await startRuntime({ ...OPTIONS, modelDigest: "sha256:0022" });
  const answers = await Promise.all(
    [runtime, other].map(async ({ url }) => {
      const body = JSON.stringify({ model: "ref-1", messages: FINGERPRINT_PROMPT });
      const response = await fetch(`${url}/v1/chat/completions`, { method: "POST", body });
      return ((await response.json()) as ChatResponse).choices[0]?.message.content ?? "";
    }),
  );
  await other.close();
  assert.match(answers[0] ?? "", /sha256:0011/);
  assert.match(answers[1] ?? "", /sha256:0022/);
});

/** Bodies that are no question, with the status and code they get. */
const BAD: readonly (readonly [body: unknown, status: number, code: string])[] = [
  ["{not json", 400, "invalid_body"],
  [new Uint8Array([0x22, 0xff, 0x22]), 400, "invalid_body"],
  ["", 400, "invalid_body"],
  [[], 400, "invalid_type"],
  [{ ...CHAT, messages: [] }, 400, "empty_array"],
  [{ ...CHAT, model: "gpt-9" }, 404, "model_not_found"],
  [{ ...CHAT, continue_final_message: true }, 400, "invalid_value"],
  [
    { ...CHAT, messages: [{ role: "user", content: "word ".repeat(40_000) }] },
    400,
    "context_length_exceeded",
  ],
  [`"${"x".repeat(11 * 1024 * 1024)}"`, 413, "request_too_large"],
];

test("bad bodies get an OpenAI error that names the fault", async () => {
  for (const [body, status, code] of BAD) {
    const response = await post("/v1/chat/completions", body);
    assert.equal(response.status, status);
    const error = await errorOf(response);
    assert.equal(error.code, code);
    assert.ok(!error.message.includes("    at "), "a stack trace went out");
  }
});

test("unknown paths and wrong methods are told apart", async () => {
  const lost = await post("/v1/completions", {});
  assert.equal(lost.status, 404);
  assert.match((await errorOf(lost)).message, /POST \/v1\/chat\/completions/);
  const wrong = await fetch(`${runtime.url}/v1/chat/completions`);
  assert.equal(wrong.status, 405);
  assert.equal(wrong.headers.get("allow"), "POST");
  await wrong.body?.cancel();
});

test("health answers, and the metrics count what was done", async () => {
  const own = await startRuntime(OPTIONS);
  assert.equal((await fetch(`${own.url}/health`)).status, 200);
  const body = JSON.stringify({ ...CHAT, max_tokens: 3 });
  await (await fetch(`${own.url}/v1/chat/completions`, { method: "POST", body })).json();
  const text = await (await fetch(`${own.url}/metrics`)).text();
  await own.close();
  for (const line of [
    'vllm:num_requests_running{model_name="ref-1"} 0',
    'vllm:num_requests_waiting{model_name="ref-1"} 0',
    'vllm:kv_cache_usage_perc{model_name="ref-1"} 0',
    'vllm:generation_tokens_total{model_name="ref-1"} 3',
    'vllm:request_success_total{model_name="ref-1",finished_reason="length"} 1',
    'vllm:request_success_total{model_name="ref-1",finished_reason="stop"} 0',
    'vllm:time_to_first_token_seconds_count{model_name="ref-1"} 1',
    'vllm:e2e_request_latency_seconds_count{model_name="ref-1"} 1',
  ]) {
    assert.ok(text.split("\n").includes(line), `no ${line} in\n${text}`);
  }
});

/** Reads the metrics until they hold the line: the other side of a hang-up shows only there. */
async function untilMetric(url: string, line: string): Promise<void> {
  for (;;) {
    const text = await (await fetch(`${url}/metrics`)).text();
    if (text.split("\n").includes(line)) return;
  }
}

async function opened(url: string): Promise<{ response: IncomingMessage; hangUp: () => void }> {
  const request = httpRequest(`${url}/v1/chat/completions`, { method: "POST" });
  request.end(JSON.stringify({ ...CHAT, stream: true }));
  request.on("error", () => undefined);
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.on("error", () => undefined);
  return { response, hangUp: () => request.destroy() };
}

test("a hang-up stops the generation, and the next in the queue gets the slot", async () => {
  // A token a minute: neither stream can end by itself while this test runs.
  const slow = await startRuntime({ ...OPTIONS, tokenDelayMs: 60_000, maxConcurrent: 1 });
  const { hangUp } = await opened(slow.url);
  const second = opened(slow.url);
  await untilMetric(slow.url, 'vllm:num_requests_waiting{model_name="ref-1"} 1');
  hangUp();
  await second;
  await untilMetric(slow.url, 'vllm:num_requests_waiting{model_name="ref-1"} 0');
  await untilMetric(
    slow.url,
    'vllm:request_success_total{model_name="ref-1",finished_reason="abort"} 1',
  );
  await slow.close();
});

test("closing cuts open streams, so that a reader sees no end mark", async () => {
  const slow = await startRuntime({ ...OPTIONS, tokenDelayMs: 60_000 });
  const { response } = await opened(slow.url);
  let text = "";
  response.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const ended = new Promise((resolve) => response.once("close", resolve));
  await slow.close();
  await slow.close();
  await ended;
  assert.equal(response.complete, false);
  assert.ok(!text.includes("[DONE]"));
});

test("a taken port is refused with its address and what to do", async () => {
  await assert.rejects(startRuntime({ ...OPTIONS, port: runtime.port }), (error) => {
    assert.ok(error instanceof TideoverError);
    assert.equal(error.code, "PORT_TAKEN");
    assert.ok(error.message.includes(`127.0.0.1:${runtime.port}`));
    assert.ok((error.next ?? "").length > 0);
    return true;
  });
});

test("an address of another machine is refused without a stack", async () => {
  await assert.rejects(startRuntime({ ...OPTIONS, host: "192.0.2.1" }), (error) => {
    return error instanceof TideoverError && error.message.includes("192.0.2.1");
  });
});
