import { keptNumber } from "./exact-json.ts";
import type { ChatRequest, EmbeddingsRequest } from "./openai.ts";

/**
 * Hand-written judgement of request bodies, in OpenAI's own words where it has any: callers match
 * on `param` and `code`. Only what Tideover relies on is checked; other fields pass untouched. A
 * null counts as absent in optional fields, since SDKs of typed languages send it so.
 */

export interface RequestFault {
  readonly ok: false;
  readonly message: string;
  /** Path of the field at fault, such as `messages[2].role`; null for the body itself. */
  readonly param: string | null;
  readonly code: string;
}

export type ParsedChatRequest = { readonly ok: true; readonly request: ChatRequest } | RequestFault;
export type ParsedEmbeddingsRequest =
  | { readonly ok: true; readonly request: EmbeddingsRequest }
  | RequestFault;

type Fields = Readonly<Record<string, unknown>>;
type Check = (value: unknown, param: string) => RequestFault | undefined;

const ROLES = ["system", "developer", "user", "assistant", "tool", "function"];

/** Optional fields of a chat request and how each is judged. */
const CHAT_FIELDS: readonly (readonly [name: string, check: Check])[] = [
  ["stream", checkBoolean],
  ["max_tokens", integerFrom(1)],
  ["max_completion_tokens", integerFrom(1)],
  ["n", integerFrom(1, 128)],
  ["temperature", numberWithin(0, 2)],
  ["top_p", numberWithin(0, 1)],
  ["presence_penalty", numberWithin(-2, 2)],
  ["frequency_penalty", numberWithin(-2, 2)],
  ["seed", checkSeed],
  ["user", checkString],
  ["stop", checkStop],
  ["tools", checkTools],
  ["continue_final_message", checkBoolean],
  ["add_generation_prompt", checkBoolean],
];

/**
 * Judges a chat completion body. On success `request` is the very object that was given, unknown
 * fields included.
 */
export function parseChatRequest(body: unknown): ParsedChatRequest {
  if (!isFields(body)) return bodyFault(body);
  const found =
    checkModel(body.model) ??
    checkMessages(body.messages) ??
    firstFault(CHAT_FIELDS, body) ??
    checkStreamOptions(body);
  return found ?? { ok: true, request: body as ChatRequest };
}

/** Judges an embeddings body. Token arrays are refused: a text model of ours has no token ids. */
export function parseEmbeddingsRequest(body: unknown): ParsedEmbeddingsRequest {
  if (!isFields(body)) return bodyFault(body);
  const found =
    checkModel(body.model) ??
    checkInput(body.input) ??
    checkEncoding(body.encoding_format) ??
    optional(body.dimensions, "dimensions", integerFrom(1));
  return found ?? { ok: true, request: body as EmbeddingsRequest };
}

function firstFault(
  checks: readonly (readonly [string, Check])[],
  body: Fields,
): RequestFault | undefined {
  for (const [name, check] of checks) {
    const found = optional(body[name], name, check);
    if (found !== undefined) return found;
  }
  return undefined;
}

function optional(value: unknown, param: string, check: Check): RequestFault | undefined {
  return value === undefined || value === null ? undefined : check(value, param);
}

function checkModel(model: unknown): RequestFault | undefined {
  if (model === undefined) return missing("model");
  if (typeof model !== "string") return wrongType("model", "a string", model);
  return model === "" ? fault("model", "must not be empty", "invalid_value") : undefined;
}

function checkMessages(messages: unknown): RequestFault | undefined {
  if (messages === undefined) return missing("messages");
  if (!Array.isArray(messages)) return wrongType("messages", "an array of objects", messages);
  if (messages.length === 0) {
    return {
      ok: false,
      message:
        "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.",
      param: "messages",
      code: "empty_array",
    };
  }
  for (const [index, message] of messages.entries()) {
    const found = checkMessage(message, `messages[${index}]`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function checkMessage(message: unknown, param: string): RequestFault | undefined {
  if (!isFields(message)) return wrongType(param, "an object", message);
  const { role } = message;
  if (role === undefined) return missing(`${param}.role`);
  if (typeof role !== "string") return wrongType(`${param}.role`, "a string", role);
  if (!ROLES.includes(role)) {
    const wanted = ROLES.map((name) => `'${name}'`).join(", ");
    const shown = JSON.stringify(role.slice(0, 60));
    return fault(`${param}.role`, `${shown} is not one of ${wanted}`, "invalid_value");
  }
  if (role === "tool" && typeof message.tool_call_id !== "string") {
    return missing(`${param}.tool_call_id`);
  }
  return checkContent(message, role, `${param}.content`) ?? checkToolCalls(message, param);
}

function checkContent(message: Fields, role: string, param: string): RequestFault | undefined {
  const { content } = message;
  if (typeof content === "string") return undefined;
  if (content === null || content === undefined) {
    // An assistant's turn may hold nothing but tool calls; nobody else may say nothing.
    return role === "assistant" ? undefined : wrongType(param, "a string or an array", content);
  }
  if (!Array.isArray(content)) return wrongType(param, "a string or an array", content);
  for (const [index, part] of content.entries()) {
    const at = `${param}[${index}]`;
    if (!isFields(part)) return wrongType(at, "an object", part);
    if (typeof part.type !== "string") return missing(`${at}.type`);
    if (part.type === "text" && typeof part.text !== "string") return missing(`${at}.text`);
  }
  return undefined;
}

function checkToolCalls(message: Fields, param: string): RequestFault | undefined {
  const calls = message.tool_calls;
  if (calls === undefined || calls === null) return undefined;
  if (!Array.isArray(calls)) return wrongType(`${param}.tool_calls`, "an array", calls);
  for (const [index, call] of calls.entries()) {
    const found = checkNamed(call, `${param}.tool_calls[${index}]`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function checkStreamOptions(body: Fields): RequestFault | undefined {
  const options = body.stream_options;
  if (options === undefined || options === null) return undefined;
  if (!isFields(options)) return wrongType("stream_options", "an object", options);
  if (body.stream !== true) {
    return fault("stream_options", "only allowed when 'stream' is true", "invalid_value");
  }
  return optional(options.include_usage, "stream_options.include_usage", checkBoolean);
}

function checkStop(value: unknown, param: string): RequestFault | undefined {
  if (typeof value === "string") return undefined;
  if (Array.isArray(value) && value.every((stop) => typeof stop === "string")) return undefined;
  return wrongType(param, "a string or an array of strings", value);
}

function checkTools(value: unknown, param: string): RequestFault | undefined {
  if (!Array.isArray(value)) return wrongType(param, "an array of objects", value);
  for (const [index, tool] of value.entries()) {
    const found = checkNamed(tool, `${param}[${index}]`);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A tool, or a call of one. Kinds that only its server knows pass. */
function checkNamed(tool: unknown, param: string): RequestFault | undefined {
  if (!isFields(tool)) return wrongType(param, "an object", tool);
  const { type = "function" } = tool;
  if (typeof type !== "string") return wrongType(`${param}.type`, "a string", type);
  if (type !== "function" && type !== "custom") return undefined;
  const named = tool[type];
  return isFields(named) && typeof named.name === "string"
    ? undefined
    : missing(`${param}.${type}.name`);
}

function checkInput(input: unknown): RequestFault | undefined {
  if (input === undefined) return missing("input");
  if (typeof input === "string") return undefined;
  if (!Array.isArray(input) || !input.every((text) => typeof text === "string")) {
    return wrongType("input", "a string or an array of strings", input);
  }
  const allowed = input.length > 0 && input.length <= 2048;
  return allowed ? undefined : fault("input", "must hold 1 to 2048 texts", "invalid_value");
}

function checkEncoding(value: unknown): RequestFault | undefined {
  if (value === undefined || value === null || value === "float" || value === "base64") {
    return undefined;
  }
  return fault("encoding_format", "must be 'float' or 'base64'", "invalid_value");
}

/** Of 64 bits, as servers take them: more than a number here keeps. */
function checkSeed(value: unknown, param: string): RequestFault | undefined {
  const whole = Number.isInteger(value) || /^-?\d+$/.test(keptNumber(value) ?? "");
  if (!whole) return wrongType(param, "an integer", value);
  const number = Number(keptNumber(value) ?? value);
  return Math.abs(number) <= 2 ** 63
    ? undefined
    : fault(param, "expected an integer of 64 bits", "invalid_value");
}

function checkBoolean(value: unknown, param: string): RequestFault | undefined {
  return typeof value === "boolean" ? undefined : wrongType(param, "a boolean", value);
}

function checkString(value: unknown, param: string): RequestFault | undefined {
  return typeof value === "string" ? undefined : wrongType(param, "a string", value);
}

function integerFrom(least: number, most = Number.MAX_SAFE_INTEGER): Check {
  return (value, param) => {
    if (!Number.isSafeInteger(value)) return wrongType(param, "an integer", value);
    const number = Number(value);
    if (number < least) {
      const message = `integer below minimum value. Expected a value >= ${least}, but got ${number} instead`;
      return fault(param, message, "integer_below_min_value");
    }
    if (number <= most) return undefined;
    const message = `integer above maximum value. Expected a value <= ${most}, but got ${number} instead`;
    return fault(param, message, "integer_above_max_value");
  };
}

function numberWithin(least: number, most: number): Check {
  return (value, param) => {
    if (typeof value !== "number") return wrongType(param, "a number", value);
    const inside = value >= least && value <= most;
    if (inside) return undefined;
    return fault(param, `${value} is not between ${least} and ${most}`, "invalid_value");
  };
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function bodyFault(body: unknown): RequestFault {
  const message = `The body must be a JSON object, but got ${kindOf(body)}.`;
  return { ok: false, message, param: null, code: "invalid_type" };
}

function missing(param: string): RequestFault {
  const message = `Missing required parameter: '${param}'.`;
  return { ok: false, message, param, code: "missing_required_parameter" };
}

function wrongType(param: string, wanted: string, value: unknown): RequestFault {
  return fault(param, `expected ${wanted}, but got ${kindOf(value)} instead`, "invalid_type");
}

function fault(param: string, message: string, code: string): RequestFault {
  return { ok: false, message: `Invalid '${param}': ${message}.`, param, code };
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "an array";
  if (keptNumber(value) !== null) return "a number out of range";
  if (typeof value === "number") return Number.isInteger(value) ? "an integer" : "a decimal";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
