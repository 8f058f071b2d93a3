import type { AuditRecord } from "../../model/audit.ts";
import type { Tools } from "../options.ts";
import type { Call } from "./call.ts";
import { own } from "./own.ts";

/** What an answer's text shows of it while it passes by. */
export class Tally {
  #events = 0;
  #declined = false;

  /** A piece of an event stream, or a whole body. */
  see(text: string | Buffer): void {
    this.#declined ||= hints(text) && DECLINED.some((mark) => text.includes(mark));
    if (typeof text !== "string") return;
    for (let at = text.indexOf(EVENT); at !== -1; at = text.indexOf(EVENT, at + EVENT.length)) {
      this.#events += 1;
    }
  }

  /** The model would not answer, or its server would not pass the answer on. */
  get declined(): boolean {
    return this.#declined;
  }

  /** Events of a stream; servers put one token in each, or a few. */
  get events(): number {
    return this.#events;
  }
}

const EVENT = "data: ";
/** In each mark, and in hardly any answer: one look for it instead of one for each. */
const HINT = "content_filter";
const HINT_BYTES = Buffer.from(HINT);

function hints(text: string | Buffer): boolean {
  return typeof text === "string" ? text.includes(HINT) : text.includes(HINT_BYTES);
}

/**
 * Marks of an answer that was declined. Inside an answer's own text the quotes would be escaped, so
 * that nobody can fake one by writing it.
 */
const DECLINED: readonly string[] = [
  '"finish_reason":"content_filter"',
  '"finish_reason": "content_filter"',
];

/** Statuses by which a release's policies turn a caller away. */
const BY_POLICY: readonly number[] = [403, 429, 451];

/**
 * Counts how a request ended for its release. Left out is what says nothing of it: requests that
 * another region answers, proofs of readiness, callers who went away or asked for nonsense.
 */
export function countOutcome(tools: Tools, call: Call, line: AuditRecord, tally: Tally): void {
  const { workflow, region } = line;
  const route = workflow === null ? undefined : own(call.snapshot.workflows, workflow);
  if (workflow === null || route === undefined || call.api !== "chat") return;
  if (call.readiness || line.forwardedTo !== null || !route.serving.includes(region)) return;
  const kind = kindOf(line, tally);
  if (kind === null) return;
  const { promptTokens, completionTokens, releaseDigest: release, tookMs } = line;
  tools.outcomes.add({
    workflow,
    region,
    release,
    kind,
    tookMs,
    length: completionTokens ?? (tally.events > 0 ? tally.events : null),
    cost: completionTokens === null ? null : completionTokens + (promptTokens ?? 0),
  });
}

function kindOf({ outcome, status }: AuditRecord, tally: Tally) {
  if (outcome === "complete") return tally.declined ? "refused" : "answered";
  if (outcome === "cut" || outcome === "failed") return "error";
  return outcome === "refused" && BY_POLICY.includes(status) ? "refused" : null;
}
