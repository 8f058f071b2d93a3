import type { ServedSnapshot } from "../served-release.ts";
import {
  type Answer,
  type Call,
  type Facts,
  type Handler,
  type Known,
  withFacts,
  withHeaders,
} from "./call.ts";

export function nothingKnown(snapshot: ServedSnapshot): Known {
  return {
    tenant: null,
    workflow: null,
    epoch: null,
    mode: null,
    promptVersion: null,
    watermark: null,
    position: null,
    stale: null,
    sources: NONE,
    limits: null,
    snapshot,
  };
}

const NONE: readonly string[] = [];

/** What one region found out says nothing of another's answer. What was asked for stays known. */
export function forget(known: Known): void {
  known.mode = null;
  known.promptVersion = null;
  known.watermark = null;
  known.position = null;
  known.stale = null;
  known.sources = NONE;
  known.limits = null;
}

/** All that is known of an answer. What it says of itself counts before what we found out. */
export function allFacts(known: Known, facts: Partial<Facts>): Facts {
  const { tenant, workflow, epoch, mode, promptVersion, watermark, position, stale, sources } =
    facts;
  return {
    tenant: tenant === undefined ? known.tenant : tenant,
    workflow: workflow === undefined ? known.workflow : workflow,
    epoch: epoch === undefined ? known.epoch : epoch,
    mode: mode === undefined ? known.mode : mode,
    promptVersion: promptVersion === undefined ? known.promptVersion : promptVersion,
    watermark: watermark === undefined ? known.watermark : watermark,
    position: position === undefined ? known.position : position,
    stale: stale === undefined ? known.stale : stale,
    sources: sources ?? known.sources,
    forwardedTo: facts.forwardedTo ?? null,
    target: facts.target ?? null,
    attempts: facts.attempts ?? [],
    usage: facts.usage ?? null,
  };
}

/** Runs a handler on its own: what it finds out is told with its answer alone. */
export async function apart(call: Call, handler: Handler): Promise<Answer> {
  const known = { ...call.known };
  const answer = await handler({ ...call, known });
  call.known.snapshot = known.snapshot;
  if (answer.kind === "unanswered") return answer;
  const { snapshot: _, limits, ...facts } = known;
  return withHeaders(withFacts(answer, facts), limits ?? {});
}
