import { promptFor } from "../../model/release-policy.ts";
import { renderDocuments } from "../../wire/documents.ts";
import type { ChatMessage } from "../../wire/openai.ts";
import { type Link, located } from "./call.ts";
import { own } from "./own.ts";
import { refuse } from "./refuse.ts";

/** Puts the release's system prompt, with the documents in it, before the caller's own messages. */
export function render(): Link {
  return (next) => (call) => {
    const { request, route, tenant } = located(call);
    const name = promptFor(call.snapshot.release, request.model, route.prompt);
    if (name === null) {
      // Without a prompt the documents still reach the model, as the only thing it is told.
      const system = renderDocuments(call.documents);
      return next(system === "" ? call : { ...call, request: withSystem(request, system) });
    }
    const prompt = own(call.snapshot.release?.prompts ?? {}, name);
    if (prompt === undefined) return refuse(promptMissing(name, call.snapshot.releaseDigest));
    const system = fillIn(prompt.system, {
      tenant,
      workflow: request.model,
      documents: renderDocuments(call.documents),
    });
    call.known.promptVersion = prompt.version;
    return next({ ...call, request: withSystem(request, system) });
  };
}

/**
 * Replaces every variable in one pass over the template. Replaced one after the other, a document
 * that contains `{{tenant}}` would have it filled in, and its author could write prompts.
 */
export function fillIn(template: string, values: Readonly<Record<string, string>>): string {
  let text = "";
  for (const { before, variable, name } of piecesOf(template)) {
    text += before;
    if (name !== null) text += own(values, name) ?? variable;
  }
  return text;
}

/** A template in pieces: text, and the variable that stands behind it; null behind the last. */
interface Piece {
  readonly before: string;
  /** With its braces. */
  readonly variable: string;
  readonly name: string | null;
}

/** Templates come from releases, which are few. To search each anew for each request is waste. */
const MOST_TEMPLATES = 1_000;
const known = new Map<string, readonly Piece[]>();

function piecesOf(template: string): readonly Piece[] {
  const pieces = known.get(template);
  if (pieces !== undefined) return pieces;
  const fresh = cut(template);
  if (known.size >= MOST_TEMPLATES) known.clear();
  known.set(template, fresh);
  return fresh;
}

function cut(template: string): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  for (const { 0: variable, 1: name = "", index } of template.matchAll(/\{\{(\w+)\}\}/g)) {
    pieces.push({ before: template.slice(from, index), variable, name });
    from = index + variable.length;
  }
  return [...pieces, { before: template.slice(from), variable: "", name: null }];
}

function withSystem<R extends { readonly messages: readonly ChatMessage[] }>(
  request: R,
  system: string,
): R {
  return { ...request, messages: [{ role: "system", content: system }, ...request.messages] };
}

function promptMissing(prompt: string, digest: string) {
  return {
    status: 503,
    code: "release_incomplete",
    message: `The active release (${digest}) has no prompt ${prompt}, which this workflow needs. Activate a release that has it.`,
  } as const;
}
