import { z } from "zod";
import { didYouMean } from "./did-you-mean.ts";
import { type Path, pathText } from "./faults.ts";
import type { Remark } from "./yaml-source.ts";

/** A schema as JSON Schema: what may stand at a path, for advice and for editors. */
export type SchemaNode = z.core.JSONSchema.BaseSchema;
type Issue = z.core.$ZodIssue;

/** How a file's author sees this schema: the text before it is read, so durations are texts. */
export function schemaTree(schema: z.ZodType): SchemaNode {
  return z.toJSONSchema(schema, { io: "input" });
}

export function schemaAt(tree: SchemaNode, path: Path): SchemaNode | undefined {
  let node: SchemaNode | undefined = tree;
  for (const part of path) {
    const next: unknown =
      typeof part === "number"
        ? node?.items
        : (node?.properties?.[part] ?? node?.additionalProperties);
    node = isNode(next) ? withKeys(next) : undefined;
  }
  return node;
}

/** Where several shapes may stand, the one that has keys: only of that can a key be asked for. */
function withKeys(node: SchemaNode): SchemaNode {
  const mapping = node.anyOf?.find((one) => isNode(one) && one.properties !== undefined);
  return isNode(mapping) ? mapping : node;
}

function isNode(value: unknown): value is SchemaNode {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Judges data against a schema: the typed value, or one remark for each thing that is wrong. */
export function judgeShape<Schema extends z.ZodType>(
  schema: Schema,
  data: unknown,
): { ok: true; value: z.output<Schema> } | { ok: false; remarks: Remark[] } {
  const result = schema.safeParse(data, { reportInput: true });
  if (result.success) return { ok: true, value: result.data };
  const tree = schemaTree(schema);
  const remarks = result.error.issues.flatMap(meant).flatMap((issue) => explain(issue, tree));
  return { ok: false, remarks: withoutEchoes(remarks) };
}

/** A misspelt key is unknown and leaves its right twin missing: one slip, told once. */
function withoutEchoes(remarks: readonly Remark[]): Remark[] {
  const corrected = new Set(
    remarks
      .filter(({ on }) => on === "key")
      .map(({ path, instead }) => pathText([...path.slice(0, -1), instead.slice("write ".length)])),
  );
  return remarks.filter(
    ({ path, message }) => message !== MISSING || !corrected.has(pathText(path)),
  );
}

/** Of several shapes that may stand there, the faults of the one that was tried. */
function meant(issue: Issue): Issue[] {
  if (issue.code !== "invalid_union") return [issue];
  const tried = issue.errors.find((issues) =>
    issues.every(({ code, path }) => path.length > 0 || code === "unrecognized_keys"),
  );
  if (tried === undefined) return [issue];
  return tried.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }));
}

function explain(issue: Issue, tree: SchemaNode): Remark[] {
  const path = issue.path.map((part) => (typeof part === "symbol" ? String(part) : part));
  const node = schemaAt(tree, path);
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => unknownKey([...path, key], key, node));
  if (issue.code === "invalid_key") {
    const [inner] = issue.issues;
    const value = JSON.stringify(path.at(-1));
    return [{ path, on: "key", value, ...split(inner?.message ?? "is no name") }];
  }
  if (issue.input === undefined) return [missing(path, node)];
  if (issue.input === null) return [emptyValue(path, node)];
  // What is meant to be secret is shown in no log, not even when it is wrong.
  const secret = node?.writeOnly === true;
  if (issue.message.includes("; write ")) return [{ path, secret, ...split(issue.message) }];
  return [{ path, secret, ...generic(issue, node) }];
}

/** The convention of the schemas in model/: `<what is wrong>; write <what to write instead>`. */
function split(text: string): { message: string; instead: string } {
  const at = text.indexOf("; write ");
  if (at < 0) return { message: text, instead: "write another value" };
  return { message: text.slice(0, at), instead: text.slice(at + 2) };
}

function unknownKey(path: Path, key: string, parent: SchemaNode | undefined): Remark {
  const known = Object.keys(parent?.properties ?? {});
  const near = didYouMean(key, known);
  return {
    path,
    on: "key",
    value: "",
    message: `"${key}" is not a key that can stand here`,
    instead: near === undefined ? `write one of ${known.join(", ")}` : `write ${near}`,
  };
}

const MISSING = "is missing";

function missing(path: Path, node: SchemaNode | undefined): Remark {
  const key = path.at(-1);
  const meaning = node?.description === undefined ? "" : ` (${lowerFirst(node.description)})`;
  if (node?.type === "object") {
    const members = node.required?.join(", ") ?? "at least one entry";
    return { path, message: MISSING, instead: `add ${key}: with ${members} below it${meaning}` };
  }
  return { path, message: MISSING, instead: `add ${key}: ${sample(node)}${meaning}` };
}

function emptyValue(path: Path, node: SchemaNode | undefined): Remark {
  const instead =
    node?.type === "object"
      ? `write at least one key below it, or remove it`
      : `write a value, such as ${sample(node)}`;
  return { path, value: "", message: "is empty", instead };
}

/** A value that could stand there. */
function sample(node: SchemaNode | undefined): string {
  const choices = node?.enum ?? node?.examples ?? [];
  if (node?.enum !== undefined) return node.enum.join(" or ");
  const value = node?.const ?? choices[0] ?? node?.default;
  if (value !== undefined) return typeof value === "string" ? value : JSON.stringify(value);
  if (node?.type === "array") return isNode(node.items) ? `[${sample(node.items)}]` : "[]";
  return node?.type === "integer" || node?.type === "number" ? "1" : "a-name";
}

function generic(issue: Issue, node: SchemaNode | undefined): { message: string; instead: string } {
  switch (issue.code) {
    case "invalid_type":
      return wrongType(issue.input, node);
    case "invalid_value":
      return wrongChoice(issue.input, issue.values.map(String));
    case "too_small":
      return tooSmall(issue.origin, Number(issue.minimum), issue.inclusive ?? true);
    case "too_big":
      return { message: "is too large", instead: `write at most ${issue.maximum}` };
    default:
      return split(lowerFirst(issue.message));
  }
}

function wrongType(input: unknown, node: SchemaNode | undefined): ReturnType<typeof split> {
  switch (node?.type) {
    case "object":
      return {
        message: "is not a mapping",
        instead: "write keys below it, one `key: value` a line",
      };
    case "array":
      return typeof input === "object"
        ? { message: "is not a list", instead: "write a list, such as [a, b]" }
        : { message: "is not a list", instead: `write [${String(input)}]` };
    case "boolean":
      return { message: "is neither true nor false", instead: "write true or false" };
    case "integer":
    case "number":
      return { message: "is not a number", instead: `write a number, such as ${sample(node)}` };
    default:
      return typeof input === "object"
        ? { message: "is not text", instead: `write text, such as ${sample(node)}` }
        : { message: "is not text", instead: `write it in quotes: "${String(input)}"` };
  }
}

function wrongChoice(input: unknown, choices: readonly string[]): ReturnType<typeof split> {
  const near = didYouMean(String(input), choices);
  const message = `is not one of ${choices.join(", ")}`;
  return { message, instead: near === undefined ? `write one of them` : `write ${near}` };
}

function tooSmall(origin: string, minimum: number, inclusive: boolean): ReturnType<typeof split> {
  if (origin === "array") return { message: "is an empty list", instead: "write at least one" };
  if (origin === "string") return { message: "is empty", instead: "write some text" };
  return {
    message: "is too small",
    instead: inclusive ? `write at least ${minimum}` : `write more than ${minimum}`,
  };
}

/** Descriptions are sentences; in the middle of another sentence they start small. */
function lowerFirst(text: string): string {
  const [first = "", second = ""] = text;
  const isAcronym = second === second.toUpperCase() && second !== second.toLowerCase();
  return (isAcronym ? first : first.toLowerCase()) + text.slice(1).replace(/\.$/, "");
}
