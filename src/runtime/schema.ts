import { type Fields, fieldsOf, isFields } from "../wire/fields.ts";
import type { ChatRequest } from "../wire/openai.ts";
import type { Answer } from "./answer.ts";

/**
 * `response_format`, as far as a runtime without a model can honour it: the words of the answer
 * stand in every free text of the caller's schema, and all else is the emptiest value that fits.
 * It invents nothing, and a schema that was lost on the way shows as prose.
 */

const MAX_DEPTH = 16;
/** A few lines of schema that name themselves twice a level are two to the power of the depth. */
const MAX_VALUES = 2_000;

interface Filling {
  readonly root: Fields;
  readonly text: string;
  left: number;
}

/** The answer in the form that was asked for. A tool's arguments have their own. */
export function inFormat(answer: Answer, request: ChatRequest): Answer {
  const format = fieldsOf(request.response_format);
  if (answer.kind === "tool" || (format.type !== "json_schema" && format.type !== "json_object"))
    return answer;
  const { schema } = fieldsOf(format.json_schema);
  const value = isFields(schema)
    ? filled(schema, { root: schema, text: answer.text, left: MAX_VALUES }, MAX_DEPTH)
    : { answer: answer.text };
  return { kind: "text", text: JSON.stringify(value) };
}

function filled(given: Fields, filling: Filling, depth: number): unknown {
  const schema = resolved(given, filling.root);
  filling.left -= 1;
  // A schema may contain itself; somewhere it has to end.
  if (depth === 0 || filling.left < 0) return null;
  if ("const" in schema) return schema.const;
  if (Array.isArray(schema.enum)) return schema.enum[0] ?? null;
  const [choice] = [schema.anyOf, schema.oneOf, schema.allOf].flatMap((each) => each ?? []);
  if (isFields(choice)) return filled(choice, filling, depth - 1);
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (type === "string") return filling.text;
  if (type === "number" || type === "integer") return numberOf(schema);
  if (type === "boolean") return false;
  if (type === "array") return itemsOf(schema, filling, depth);
  if (type !== "object" && !isFields(schema.properties)) return null;
  const entries = Object.entries(fieldsOf(schema.properties)).map(([name, property]) => [
    name,
    filled(fieldsOf(property), filling, depth - 1),
  ]);
  return Object.fromEntries(entries);
}

function numberOf({ minimum }: Fields): number {
  return typeof minimum === "number" ? Math.max(0, minimum) : 0;
}

function itemsOf(schema: Fields, filling: Filling, depth: number): unknown[] {
  const least = typeof schema.minItems === "number" ? Math.min(schema.minItems, 8) : 0;
  const item = fieldsOf(schema.items);
  return Array.from({ length: least }, () => filled(item, filling, depth - 1));
}

/** Follows `#/$defs/name`, the only kind of reference that SDKs write. */
function resolved(schema: Fields, root: Fields): Fields {
  const { $ref } = schema;
  if (typeof $ref !== "string" || !$ref.startsWith("#/")) return schema;
  const path = $ref.slice(2).split("/");
  return fieldsOf(path.reduce<unknown>((at, name) => fieldsOf(at)[name], root));
}
