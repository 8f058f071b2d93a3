import { invalid, missing, unsupported } from "./faults.ts";
import { type Fields, fieldsOf, isFields, present, shownValue } from "./fields.ts";
import type { RequestFault } from "./parse-request.ts";
import { inputToMessages } from "./responses-input.ts";

/**
 * A stateless `/v1/responses` request as a chat request. Nothing of it is kept: what needs an
 * earlier response, or would be fetched later, is refused in plain words instead of ignored, since
 * an answer without the conversation that it was asked in would be wrong and look right.
 */

/** Members of the response that repeat the request. */
export type AskedResponse = Fields;

export type ResponseAsChat =
  | { readonly ok: true; readonly chat: Fields; readonly asked: AskedResponse }
  | RequestFault;

const OWN_HISTORY = "This gateway keeps no responses. Send the conversation so far as `input`.";

/** What would need a store or a service behind the API, and what to do instead. */
const STATEFUL: readonly (readonly [name: string, why: string])[] = [
  ["previous_response_id", OWN_HISTORY],
  ["conversation", OWN_HISTORY],
  ["prompt", "Prompts are part of this estate's release. Ask for the workflow that has yours."],
  ["context_management", "Nothing is compacted here. Send as much `input` as the model takes."],
  ["max_tool_calls", "It bounds built-in tools, and there are none here."],
];

/** Fields of the request that chat has under another name or not at all; any other one passes. */
const TRANSLATED: readonly string[] = [
  ...STATEFUL.map(([name]) => name),
  ...["input", "instructions", "max_output_tokens", "text", "reasoning", "tools", "tool_choice"],
  ...["include", "truncation", "background", "store", "metadata", "stream_options"],
  "parallel_tool_calls",
];

export function responseToChat(body: unknown): ResponseAsChat {
  if (!isFields(body)) return invalid("body", "expected a JSON object", "invalid_type");
  const fault = statefulFault(body) ?? shapeFault(body);
  if (fault !== null) return fault;
  const input = inputToMessages(body.input);
  if (!input.ok) return input;
  const tools = toTools(body.tools);
  if (!tools.ok) return tools;
  const choice = toToolChoice(body.tool_choice);
  if (!choice.ok) return choice;
  const format = toResponseFormat(fieldsOf(body.text).format);
  if (!format.ok) return format;
  const chat = {
    ...Object.fromEntries(Object.entries(body).filter(([name]) => !TRANSLATED.includes(name))),
    ...present({
      messages: [...systemOf(body.instructions), ...input.messages],
      max_completion_tokens: body.max_output_tokens ?? undefined,
      ...toolsInChat(tools.value, choice.value, body.parallel_tool_calls),
      response_format: format.value,
      verbosity: fieldsOf(body.text).verbosity ?? undefined,
      reasoning_effort: fieldsOf(body.reasoning).effort ?? undefined,
      logprobs: wantsLogprobs(body) ? true : undefined,
      // The last event must say the usage, whether or not anybody asked for it.
      stream_options:
        body.stream === true
          ? { ...fieldsOf(body.stream_options), include_usage: true }
          : undefined,
    }),
  };
  return { ok: true, chat, asked: askedOf(body) };
}

function statefulFault(body: Fields): RequestFault | null {
  for (const [name, why] of STATEFUL) {
    if ((body[name] ?? null) !== null) return unsupported(name, why);
  }
  if (body.background === true)
    return unsupported("background", "Nothing runs on after its request here. Stream the answer.");
  if (body.store === true)
    return unsupported("store", "This gateway keeps no responses. Leave it out or send false.");
  if ((body.n ?? 1) !== 1)
    return unsupported("n", "A response is one answer. Send a request for each.");
  return null;
}

function shapeFault(body: Fields): RequestFault | null {
  const { instructions, max_output_tokens: most, text, reasoning, tools } = body;
  if (instructions != null && typeof instructions !== "string")
    return invalid("instructions", "expected a string", "invalid_type");
  if (most != null && !(Number.isSafeInteger(most) && Number(most) > 0))
    return invalid("max_output_tokens", `expected an integer above 0, but got ${shownValue(most)}`);
  if (text != null && !isFields(text)) return invalid("text", "expected an object", "invalid_type");
  if (reasoning != null && !isFields(reasoning))
    return invalid("reasoning", "expected an object", "invalid_type");
  if (tools != null && !Array.isArray(tools))
    return invalid("tools", "expected an array of objects", "invalid_type");
  return null;
}

function systemOf(instructions: unknown): Fields[] {
  return typeof instructions === "string" && instructions !== ""
    ? [{ role: "system", content: instructions }]
    : [];
}

function wantsLogprobs(body: Fields): boolean {
  const included = Array.isArray(body.include) ? body.include : [];
  return included.includes("message.output_text.logprobs") || body.top_logprobs != null;
}

type Converted<T> = { readonly ok: true; readonly value: T | undefined } | RequestFault;

function toTools(tools: unknown): Converted<readonly Fields[]> {
  if (!Array.isArray(tools) || tools.length === 0) return { ok: true, value: undefined };
  const converted: Fields[] = [];
  for (const [index, tool] of tools.entries()) {
    const at = `tools[${index}]`;
    if (!isFields(tool)) return invalid(at, "expected an object", "invalid_type");
    if (tool.type !== "function" && tool.type !== "custom")
      return invalid(`${at}.type`, onlyCallers(tool.type));
    if (typeof tool.name !== "string") return missing(`${at}.name`);
    converted.push(tool.type === "custom" ? customTool(tool) : functionTool(tool));
  }
  return { ok: true, value: converted };
}

/**
 * Chat's servers refuse what is said of tools where there are none. SDKs of this API say it with
 * every request, and mean nothing by it then. Who demands a call has no answer without a tool.
 */
function toolsInChat(tools: readonly Fields[] | undefined, choice: unknown, parallel: unknown) {
  if (tools !== undefined)
    return { tools, tool_choice: choice, parallel_tool_calls: parallel ?? undefined };
  return choice === "auto" || choice === "none" ? {} : { tool_choice: choice };
}

function functionTool(tool: Fields): Fields {
  const { type, name, description, parameters, strict, ...rest } = tool;
  const called = { name, description, parameters, strict: strict ?? undefined };
  return { ...rest, type, function: present(called) };
}

/** Chat keeps a grammar in a member of its own. */
function customTool(tool: Fields): Fields {
  const { type, name, description, format, ...rest } = tool;
  const { type: kind, ...grammar } = fieldsOf(format);
  const inChat = kind === "grammar" ? { type: kind, grammar } : (format ?? undefined);
  return { ...rest, type, custom: present({ name, description, format: inChat }) };
}

function onlyCallers(type: unknown): string {
  return `${shownValue(type)} is a tool that its provider runs; this gateway passes on only 'function' and 'custom' tools, which the caller runs`;
}

function toToolChoice(choice: unknown): Converted<unknown> {
  if (choice === undefined || choice === null) return { ok: true, value: undefined };
  if (typeof choice === "string") return { ok: true, value: choice };
  if (!isFields(choice)) return invalid("tool_choice", "expected a string or an object");
  const { type, mode, tools } = choice;
  if (type === "function" || type === "custom") return { ok: true, value: chosen(choice) };
  if (type !== "allowed_tools" || !Array.isArray(tools))
    return invalid("tool_choice.type", onlyCallers(type));
  const allowed = tools.map((tool) => chosen(fieldsOf(tool)));
  return { ok: true, value: { type, allowed_tools: { mode, tools: allowed } } };
}

function chosen({ type, name }: Fields): Fields {
  return type === "custom" ? { type, custom: { name } } : { type: "function", function: { name } };
}

/** `text.format` keeps the schema beside its name; chat keeps both in a member of their own. */
function toResponseFormat(format: unknown): Converted<Fields> {
  if (format === undefined || format === null) return { ok: true, value: undefined };
  if (!isFields(format)) return invalid("text.format", "expected an object", "invalid_type");
  const { type, ...schema } = format;
  if (type === "text") return { ok: true, value: undefined };
  if (type !== "json_schema") return { ok: true, value: format };
  if (typeof schema.name !== "string") return missing("text.format.name");
  if (!isFields(schema.schema)) return missing("text.format.schema");
  return { ok: true, value: { type, json_schema: schema } };
}

function askedOf(body: Fields): AskedResponse {
  const text = fieldsOf(body.text);
  return present({
    background: false,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: body.metadata ?? {},
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: null,
    reasoning: body.reasoning ?? { effort: null, summary: null },
    // What is done, whatever was asked: nothing is kept, and nothing is left out.
    store: false,
    truncation: "disabled",
    temperature: body.temperature ?? null,
    text: { ...text, format: text.format ?? { type: "text" } },
    tool_choice: body.tool_choice ?? "auto",
    tools: body.tools ?? [],
    top_logprobs: body.top_logprobs ?? undefined,
    top_p: body.top_p ?? null,
    user: body.user ?? null,
  });
}
