import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";
import { sha256 } from "../lib/canonical.ts";
import type { ChatChunk, ChatRequest } from "../wire/openai.ts";
import { parseChatRequest } from "../wire/parse-request.ts";
import { formatSse, SSE_DONE } from "../wire/sse.ts";
import { type Completion, checkContinuation, completionOf, promptTokens } from "./completion.ts";
import {
  type AnswerHead,
  finalChunks,
  openingChunks,
  tokenChunks,
  usageChunk,
  wholeAnswer,
} from "./frames.ts";
import { parseJson, Refusal, refusalOf, sendJson, signalOfCaller } from "./http.ts";
import { logprobsOf } from "./logprobs.ts";
import type { RuntimeState } from "./state.ts";

/** POST /v1/chat/completions: judge, wait for a slot, generate at the set pace, count. */
export async function handleChat(
  state: RuntimeState,
  body: Buffer,
  response: ServerResponse,
): Promise<void> {
  const startedAt = performance.now();
  const request = judgedRequest(state, parseJson(body));
  const { model, modelDigest, maxModelTokens } = state.options;
  const room = maxModelTokens - promptTokens(request);
  const completion = completionOf(request, modelDigest, state.english, room);
  const id = `chatcmpl-${sha256(body).slice("sha256:".length, 23)}-${state.nextCount()}`;
  const created = Math.floor(Date.now() / 1000);
  const logprobs =
    request.logprobs === true
      ? logprobsOf(state.options, request.messages, completion.tokens, request.top_logprobs ?? 0)
      : null;
  const head: AnswerHead = { id, created, model, choices: request.n ?? 1, logprobs };
  const job: Job = { state, request, head, completion, response, startedAt };
  await inSlot(job, signalOfCaller(response));
}

interface Job {
  readonly state: RuntimeState;
  readonly request: ChatRequest;
  readonly head: AnswerHead;
  readonly completion: Completion;
  readonly response: ServerResponse;
  /** Of the monotonic clock, in milliseconds. */
  readonly startedAt: number;
}

function judgedRequest(state: RuntimeState, body: unknown): ChatRequest {
  const parsed = parseChatRequest(body);
  if (!parsed.ok) throw refusalOf(parsed);
  const { request } = parsed;
  const { model, maxModelTokens } = state.options;
  if (request.model !== model) throw unknownModel(request.model, [model]);
  const fault = checkContinuation(request);
  if (fault !== undefined) throw refusalOf(fault);
  const tokens = promptTokens(request);
  if (tokens < maxModelTokens) return request;
  const message = `This model's maximum context length is ${maxModelTokens} tokens, but the messages hold ${tokens}. Send fewer or shorter messages.`;
  throw new Refusal(400, message, "context_length_exceeded", "messages");
}

export function unknownModel(model: string, served: readonly string[]): Refusal {
  const shown = model.slice(0, 200);
  const message = `The model '${shown}' does not exist. Served here: ${served.join(", ")}.`;
  return new Refusal(404, message, "model_not_found", "model");
}

async function inSlot(job: Job, signal: AbortSignal): Promise<void> {
  const { slots, metrics } = job.state;
  const seconds = (): number => (performance.now() - job.startedAt) / 1000;
  const none = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
  if (!(await slots.acquire(signal))) {
    metrics.finished("abort", none, seconds());
    return;
  }
  const free = metrics.occupy(job.completion.usage.total_tokens);
  let sent = 0;
  try {
    const paced = pacedTokens(job, signal, () => {
      sent += 1;
      if (sent === 1) metrics.firstToken(seconds());
    });
    await (job.request.stream ? sendStream(job, paced, signal) : sendWhole(job, paced));
    metrics.finished(job.completion.finishReason, job.completion.usage, seconds());
  } catch (error) {
    if (!signal.aborted) throw error;
    // The caller left: what was generated so far was still paid for.
    const completion_tokens = sent * job.head.choices;
    metrics.finished("abort", { ...job.completion.usage, completion_tokens }, seconds());
  } finally {
    free();
    slots.release();
  }
}

/** The tokens, each after the set delay. Throws an AbortError as soon as the caller is gone. */
async function* pacedTokens(
  job: Job,
  signal: AbortSignal,
  onToken: () => void,
): AsyncGenerator<string> {
  const { tokenDelayMs } = job.state.options;
  for (const token of job.completion.tokens) {
    // Even without delay the loop lets go for a turn, or a hang-up could not be noticed.
    if (tokenDelayMs > 0) await pause(tokenDelayMs, undefined, { signal });
    else await nextTurn(undefined, { signal });
    onToken();
    yield token;
  }
}

async function sendWhole(job: Job, paced: AsyncGenerator<string>): Promise<void> {
  for await (const _ of paced) {
    // Only the time passes here: the text goes out at once, when it is whole.
  }
  sendJson(job.response, 200, wholeAnswer(job.head, job.completion));
}

async function sendStream(
  job: Job,
  paced: AsyncGenerator<string>,
  signal: AbortSignal,
): Promise<void> {
  const { head, completion, response, request } = job;
  const withUsage = request.stream_options?.include_usage === true;
  const write = async (chunks: readonly ChatChunk[]): Promise<void> => {
    const marked = chunks.map((chunk) =>
      withUsage ? { ...chunk, usage: chunk.usage ?? null } : chunk,
    );
    const frames = marked.map((chunk) => formatSse(JSON.stringify(chunk))).join("");
    // A slow reader holds the generation back instead of filling the memory.
    if (!response.write(frames)) await once(response, "drain", { signal });
  };
  response.writeHead(200, {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
  });
  await write(openingChunks(head, completion));
  let at = 0;
  for await (const _ of paced) {
    await write(tokenChunks(head, completion, at));
    at += 1;
  }
  await write(finalChunks(head, completion));
  if (withUsage) await write([usageChunk(head, completion.usage)]);
  response.end(SSE_DONE);
}
