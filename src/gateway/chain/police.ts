import type { Release } from "../../model/release.ts";
import { policiesFor, routeFor } from "../../model/release-policy.ts";
import { fieldsOf, textOr } from "../../wire/fields.ts";
import type { ChatMessage, ChatRequest, ToolDefinition } from "../../wire/openai.ts";
import { type Link, placed } from "./call.ts";
import { type Refusal, refuse } from "./refuse.ts";

/**
 * Holds a chat request to the release: what its safety filters find and tools that it does not
 * allow are refused here, before any model sees them; what its route fixes is filled in. Requests
 * for vectors have neither tools nor an answer, and pass.
 */
export function police(): Link {
  return (next) => (call) => {
    const { release } = call.snapshot;
    const { workflow } = placed(call);
    if (release === null || call.request === null) return next(call);
    const refused = refusalOf(release, workflow, call.request);
    if (refused !== null) return refuse(refused);
    return next({ ...call, request: withParameters(release, workflow, call.request) });
  };
}

/** Why a request is against the policies of a release; null when it is not. */
export function refusalOf(
  release: Release,
  workflow: string,
  request: ChatRequest,
): Refusal | null {
  const policies = policiesFor(release, workflow);
  if (policies.length === 0) return null;
  // Only where it is held against something: of a long context it costs more than all else here.
  const filtered = policies.some(({ safety = [] }) => safety.length > 0);
  const text = filtered ? plain(request.messages.flatMap(textsOf).join("\n")) : "";
  for (const { name, safety = [], tools } of policies) {
    const filter = safety.find(({ phrases }) => phrases.some((one) => text.includes(plain(one))));
    if (filter !== undefined) return unsafe(name, filter.name);
    const tool = tools && namesOf(request).find((one) => !tools.allow.includes(one));
    if (tool !== undefined) return toolRefused(name, tool, tools?.allow ?? []);
  }
  return null;
}

/** What the caller leaves open is as the route says, so that every region asks its model alike. */
export function withParameters(
  release: Release,
  workflow: string,
  request: ChatRequest,
): ChatRequest {
  const parameters = routeFor(release, workflow)?.parameters;
  if (parameters === undefined) return request;
  const open = Object.entries(parameters).filter(([name]) => (request[name] ?? null) === null);
  return open.length === 0 ? request : { ...request, ...Object.fromEntries(open) };
}

/** What a caller wrote. The assistant's own words, in a history, were the model's. */
function textsOf({ role, content }: ChatMessage): string[] {
  if (role === "assistant") return [];
  if (typeof content === "string") return [content];
  return (content ?? []).flatMap((part) =>
    "text" in part && typeof part.text === "string" ? [part.text] : [],
  );
}

/** Compared without case, and without the spacings and letter forms that hide a phrase. */
function plain(text: string): string {
  return text.normalize("NFKC").toLowerCase().replace(/\s+/g, " ");
}

/**
 * By every way to offer a tool. The older `functions`, and the search that has a field of its own,
 * are no known fields of ours and pass; a list that did not hold for them would hold for nobody.
 */
function namesOf({ tools, functions, web_search_options: search }: ChatRequest): string[] {
  const older: readonly unknown[] = Array.isArray(functions) ? functions : [];
  return [
    ...(tools ?? []).map(nameOf),
    ...older.map((called) => textOr(fieldsOf(called).name)),
    ...((search ?? null) === null ? [] : ["web_search"]),
  ];
}

/**
 * By its type and by nothing else: a tool that bears two names is judged by the one that its server
 * reads. One that the server itself runs is called as its type is.
 */
function nameOf({ type = "function", function: called, custom }: ToolDefinition): string {
  if (type === "function") return called?.name ?? "";
  return type === "custom" ? (custom?.name ?? "") : type;
}

function unsafe(policy: string, filter: string): Refusal {
  return {
    status: 403,
    code: "content_policy",
    message: `The request was refused by the safety filter '${filter}' of policy '${policy}'. No model has seen it. Word it otherwise, or ask whoever keeps the policy.`,
    param: "messages",
  };
}

function toolRefused(policy: string, tool: string, allowed: readonly string[]): Refusal {
  const known = allowed.length === 0 ? "No tool is allowed" : `Allowed: ${allowed.join(", ")}`;
  return {
    status: 403,
    code: "tool_not_allowed",
    message: `The tool '${tool.slice(0, 100)}' is not allowed by policy '${policy}'. ${known}.`,
    param: "tools",
  };
}
