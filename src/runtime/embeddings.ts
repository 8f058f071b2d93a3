import type { ServerResponse } from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { EmbeddingsRequest, EmbeddingsResponse } from "../wire/openai.ts";
import { parseEmbeddingsRequest } from "../wire/parse-request.ts";
import { unknownModel } from "./chat.ts";
import { parseJson, Refusal, refusalOf, sendJson } from "./http.ts";
import type { RuntimeState } from "./state.ts";
import { countTokens } from "./tokens.ts";

/** Longest text that is embedded, in tokens: as OpenAI's models have it. */
const MAX_INPUT_TOKENS = 8192;

/** POST /v1/embeddings. */
export async function handleEmbeddings(
  state: RuntimeState,
  body: Buffer,
  response: ServerResponse,
): Promise<void> {
  const request = judgedRequest(state, parseJson(body));
  const texts = typeof request.input === "string" ? [request.input] : request.input;
  const tokens = texts.map((text, index) => judgedLength(text, index)).reduce((a, b) => a + b, 0);
  const data: EmbeddingsResponse["data"][number][] = [];
  for (const [index, text] of texts.entries()) {
    // A large batch must not keep the health probe waiting until its end.
    if (index % 16 === 15) await nextTurn();
    const vector = state.embedder.embed(text);
    const embedding = request.encoding_format === "base64" ? base64Of(vector) : vector;
    data.push({ object: "embedding", index, embedding });
  }
  const usage = { prompt_tokens: tokens, total_tokens: tokens };
  const answer: EmbeddingsResponse = { object: "list", data, model: request.model, usage };
  sendJson(response, 200, answer);
}

function judgedRequest(state: RuntimeState, body: unknown): EmbeddingsRequest {
  const parsed = parseEmbeddingsRequest(body);
  if (!parsed.ok) throw refusalOf(parsed);
  const { request } = parsed;
  const { embeddingModel } = state.options;
  if (request.model !== embeddingModel) throw unknownModel(request.model, [embeddingModel]);
  const { dimensions } = state.embedder;
  const asked = request.dimensions ?? dimensions;
  if (asked === dimensions) return request;
  // Cutting a hashed vector short would drop words at random, so no other length is offered.
  const message = `This embedding model has ${dimensions} dimensions, not ${asked}. Leave 'dimensions' out or send ${dimensions}.`;
  throw new Refusal(400, message, "invalid_value", "dimensions");
}

function judgedLength(text: string, index: number): number {
  const tokens = countTokens(text);
  if (tokens <= MAX_INPUT_TOKENS) return tokens;
  const message = `Text ${index} holds ${tokens} tokens; at most ${MAX_INPUT_TOKENS} are embedded. Split it.`;
  throw new Refusal(400, message, "context_length_exceeded", "input");
}

/** Little-endian 32-bit floats: what the official client asks for and unpacks. */
function base64Of(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [at, part] of vector.entries()) bytes.writeFloatLE(part, at * 4);
  return bytes.toString("base64");
}
