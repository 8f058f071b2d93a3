import { invalid, missing, unsupported } from "./faults.ts";
import { type Fields, isFields, present, shownValue, textOr } from "./fields.ts";
import type { RequestFault } from "./parse-request.ts";

/**
 * The `input` of `/v1/responses` as chat messages. Total: what cannot be said in chat is a fault
 * with its place, never dropped, because a left-out item changes the answer and nobody sees it. The
 * one exception is a reasoning item, which only its own model could read.
 */

export type InputAsMessages =
  | { readonly ok: true; readonly messages: readonly Fields[] }
  | RequestFault;

type Converted = { readonly ok: true; readonly value: Fields } | RequestFault;

const ROLES = ["user", "assistant", "system", "developer"];

export function inputToMessages(input: unknown): InputAsMessages {
  if (input === undefined || input === null) return missing("input");
  if (typeof input === "string") {
    return { ok: true, messages: [{ role: "user", content: input }] };
  }
  if (!Array.isArray(input))
    return invalid("input", "expected a string or an array of items", "invalid_type");
  if (input.length === 0) return invalid("input", "expected at least one item", "empty_array");
  const messages: Fields[] = [];
  for (const [index, item] of input.entries()) {
    const fault = addItem(messages, item, `input[${index}]`);
    if (fault !== null) return fault;
  }
  return { ok: true, messages };
}

function addItem(messages: Fields[], item: unknown, at: string): RequestFault | null {
  if (!isFields(item)) return invalid(at, "expected an object", "invalid_type");
  if (item.type === "reasoning") return null;
  if (item.type === "function_call" || item.type === "custom_tool_call")
    return addCall(messages, item, at);
  const converted =
    item.type === "function_call_output" || item.type === "custom_tool_call_output"
      ? toolMessage(item, at)
      : item.type === "message" || item.type === undefined
        ? plainMessage(item, at)
        : unknownItem(item, at);
  if (!converted.ok) return converted;
  messages.push(converted.value);
  return null;
}

function unknownItem(item: Fields, at: string): RequestFault {
  if (item.type === "item_reference") {
    return unsupported(
      at,
      "Nothing is stored here to refer to. Send the item itself, as SDKs do when `store` is false.",
    );
  }
  return invalid(
    `${at}.type`,
    `${shownValue(item.type)} is none of message, function_call, function_call_output, custom_tool_call, custom_tool_call_output, reasoning`,
  );
}

/**
 * Chat keeps a turn's calls in one assistant message, with its text if it had any; here each is an
 * item of its own. Models are trained on the former, and some servers refuse anything else.
 */
function addCall(messages: Fields[], item: Fields, at: string): RequestFault | null {
  const { call_id, name, arguments: given, input } = item;
  if (typeof call_id !== "string") return missing(`${at}.call_id`);
  if (typeof name !== "string") return missing(`${at}.name`);
  const [field, said] = item.type === "custom_tool_call" ? ["input", input] : ["arguments", given];
  if (said != null && typeof said !== "string")
    return invalid(`${at}.${field}`, "expected a string", "invalid_type");
  const call =
    item.type === "custom_tool_call"
      ? { id: call_id, type: "custom", custom: { name, input: textOr(input) } }
      : { id: call_id, type: "function", function: { name, arguments: textOr(given, "{}") } };
  const last = messages.at(-1);
  if (last?.role !== "assistant") {
    messages.push({ role: "assistant", content: null, tool_calls: [call] });
    return null;
  }
  const calls = Array.isArray(last.tool_calls) ? last.tool_calls : [];
  messages[messages.length - 1] = { ...last, tool_calls: [...calls, call] };
  return null;
}

function toolMessage({ call_id, output }: Fields, at: string): Converted {
  if (typeof call_id !== "string") return missing(`${at}.call_id`);
  const content = toContent(output, `${at}.output`);
  if (!content.ok) return content;
  return {
    ok: true,
    value: { role: "tool", tool_call_id: call_id, content: content.value.content },
  };
}

function plainMessage({ role, content: given, name }: Fields, at: string): Converted {
  if (role === undefined) return missing(`${at}.role`);
  if (typeof role !== "string" || !ROLES.includes(role))
    return invalid(`${at}.role`, `${shownValue(role)} is none of ${ROLES.join(", ")}`);
  const content = toContent(given, `${at}.content`);
  if (!content.ok) return content;
  return { ok: true, value: present({ role, name, content: content.value.content }) };
}

function toContent(content: unknown, at: string): Converted {
  if (typeof content === "string") return { ok: true, value: { content } };
  if (!Array.isArray(content))
    return invalid(at, "expected a string or an array of parts", "invalid_type");
  const parts: Fields[] = [];
  for (const [index, part] of content.entries()) {
    const converted = toPart(part, `${at}[${index}]`);
    if (!converted.ok) return converted;
    parts.push(converted.value);
  }
  // One text is the common case, and the only form that every server takes in every role.
  const only = parts.length === 1 ? parts[0] : undefined;
  return { ok: true, value: { content: only?.type === "text" ? only.text : parts } };
}

function toPart(part: unknown, at: string): Converted {
  if (!isFields(part)) return invalid(at, "expected an object", "invalid_type");
  switch (part.type) {
    case "input_text":
    case "output_text":
      return typeof part.text === "string"
        ? { ok: true, value: { type: "text", text: part.text } }
        : missing(`${at}.text`);
    case "input_image":
      return imagePart(part, at);
    case "input_file":
      return filePart(part, at);
    case undefined:
      return missing(`${at}.type`);
    default:
      // `refusal` and `input_audio` read the same in both APIs, and a target's own kinds pass.
      return { ok: true, value: part };
  }
}

function imagePart({ image_url: url, detail, file_id }: Fields, at: string): Converted {
  if ((file_id ?? null) !== null) return unsupported(`${at}.file_id`, NO_FILES);
  if (typeof url !== "string") return missing(`${at}.image_url`);
  return { ok: true, value: { type: "image_url", image_url: present({ url, detail }) } };
}

function filePart({ file_data, filename, file_id, file_url }: Fields, at: string): Converted {
  if ((file_id ?? null) !== null) return unsupported(`${at}.file_id`, NO_FILES);
  if ((file_url ?? null) !== null)
    return unsupported(`${at}.file_url`, "Send the file's content as `file_data`.");
  if (typeof file_data !== "string") return missing(`${at}.file_data`);
  return { ok: true, value: { type: "file", file: present({ file_data, filename }) } };
}

const NO_FILES = "No files are kept here. Send the content itself.";
