import { promptFor } from "../../model/release-policy.ts";
import { renderDocuments } from "../../wire/documents.ts";
import type { ChatMessage } from "../../wire/openai.ts";
import { type Link, located, withFacts } from "./call.ts";
import { own } from "./own.ts";
import { refuse } from "./refuse.ts";

/** Puts the release's system prompt, with the documents in it, before the caller's own messages. */
export function render(): Link {
  return (next) => async (call) => {
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
    const answer = await next({ ...call, request: withSystem(request, system) });
    return withFacts(answer, { promptVersion: prompt.version });
  };
}

/**
 * Replaces every variable in one pass over the template. Replaced one after the other, a document
 * that contains `{{tenant}}` would have it filled in, and its author could write prompts.
 */
export function fillIn(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(
    /\{\{(\w+)\}\}/g,
    (variable, name: string) => own(values, name) ?? variable,
  );
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
