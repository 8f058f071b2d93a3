import { continuation } from "../../core/stream/continuation.ts";
import type { DeliveredChoice } from "../../core/stream/delivered.ts";
import { endEvent } from "../../core/stream/halves.ts";
import { splice, startSplice } from "../../core/stream/splice.ts";
import type { Target } from "../../model/snapshot.ts";
import { formatSse, SSE_DONE, SseParser } from "../../wire/sse.ts";
import type { Exchanged } from "../targets/exchange.ts";
import { type Call, located, type Resume, type StreamPart } from "./call.ts";

/**
 * Asks one target, for the rest of an answer when the call is for one: only here, behind `render`,
 * is it known how this target goes on with half an answer, and what the whole prompt is. `send`
 * sends the call that it is given. Calls for a whole answer pass as they are.
 */
export function continued(call: Call, target: Target, send: Send): Promise<Exchanged> | Exchanged {
  const resume = call.resume ?? null;
  const { request } = located(call);
  if (resume === null || request.stream !== true) return send(call);
  return restFrom(call, target, resume, send);
}

type Send = (call: Call) => Promise<Exchanged> | Exchanged;

async function restFrom(
  call: Call,
  target: Target,
  resume: Resume,
  send: Send,
): Promise<Exchanged> {
  const { request } = located(call);
  const next = continuation(resume.delivered, request, target.continuation ?? "none");
  if (next.kind === "give-up") {
    return { kind: "failed", fault: "unasked", because: next.because, reached: false };
  }
  if (next.kind === "finished") {
    const end = formatSse(endEvent(resume.delivered, target.model, next.reason)) + SSE_DONE;
    return { kind: "stream", status: 200, headers: {}, parts: ended(end) };
  }
  const exchanged = await send({ ...call, request: next.request });
  if (exchanged.kind !== "stream") return exchanged;
  return { ...exchanged, parts: restOf(exchanged.parts, next.how, next.repeats) };
}

/** Things in the given order, but those last that have cut this very answer. */
export function othersFirst<T>(
  call: Call,
  things: readonly T[],
  nameOf: (thing: T) => string,
): readonly T[] {
  const avoid = call.resume?.avoid ?? [];
  if (avoid.length === 0) return things;
  const cut = (thing: T): boolean => avoid.includes(nameOf(thing));
  return [...things.filter((thing) => !cut(thing)), ...things.filter(cut)];
}

async function* ended(text: string): AsyncGenerator<StreamPart> {
  yield {
    text,
    end: { outcome: "complete", because: "nothing but its end was missing", usage: null },
    how: "continue",
  };
}

type How = NonNullable<StreamPart["how"]>;

/** The parts without what the caller has. A regeneration that says something else is a cut. */
async function* restOf(
  parts: AsyncIterable<StreamPart>,
  how: How,
  repeats: readonly DeliveredChoice[],
): AsyncGenerator<StreamPart> {
  const parser = new SseParser();
  let now = startSplice(repeats);
  for await (const part of parts) {
    // What ends a cut is not the answer's text but an event about it.
    if (part.end?.outcome === "cut") {
      yield { ...part, how };
      return;
    }
    let text = "";
    for (const item of parser.push(Buffer.from(part.text))) {
      if (item.kind !== "event") continue;
      const step = splice(now, item.data);
      now = step.splice;
      text += step.tell.map((data) => formatSse(data)).join("");
    }
    if (now.diverged !== null) {
      const { usage = null } = part.end ?? {};
      yield { text: "", end: { outcome: "cut", because: now.diverged, usage }, how };
      return;
    }
    yield { ...part, text, how };
  }
}
