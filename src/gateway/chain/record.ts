import { messageOf } from "../../lib/errors.ts";
import type { AuditRecord } from "../../model/audit.ts";
import { HEADERS } from "../../wire/headers.ts";
import type { Tools } from "../options.ts";
import { within } from "../within.ts";
import type {
  Answer,
  Call,
  Link,
  StreamEnd,
  StreamedAnswer,
  StreamPart,
  WholeAnswer,
} from "./call.ts";
import { nobodyAnswered } from "./nobody.ts";
import { countOutcome, Tally } from "./outcome.ts";
import { refuse } from "./refuse.ts";

/** A held request may have tried for long; its record stays one line of a bearable length. */
const MOST_ATTEMPTS = 50;

type Told = WholeAnswer | StreamedAnswer;
type Outcome = AuditRecord["outcome"];

/**
 * The outermost link: names on every answer what made it, and keeps its audit record before the
 * caller has the last byte. A caller that holds a whole answer can therefore rely on the record.
 */
export function record(tools: Tools): Link {
  return (next) => async (call) => {
    const answer = announced(
      tools,
      call,
      toTold(call, await caught(tools, call, () => next(call))),
    );
    if (answer.kind === "stream") return { ...answer, parts: recorded(tools, call, answer) };
    const tally = new Tally();
    tally.see(answer.body);
    await keep(tools, call, answer, { outcome: outcomeOf(call, answer.status), end: null, tally });
    return answer;
  };
}

/** A fault of ours is an answer too, with its id and its record, and never takes the process down. */
async function caught(tools: Tools, call: Call, run: () => Promise<Answer>): Promise<Answer> {
  try {
    return await run();
  } catch (error) {
    tools.logger.error({ requestId: call.id, err: error }, "a request failed inside the gateway");
    return refuse({
      status: 500,
      code: "internal_error",
      message: `The gateway of ${tools.region} failed on this request; its log has the cause under ${call.id}.`,
    });
  }
}

function toTold(call: Call, answer: Answer): Told {
  return answer.kind === "unanswered" ? nobodyAnswered(call, answer.facts) : answer;
}

/** Puts what is known on the answer. What a forwarded answer already says of itself stays. */
function announced(tools: Tools, call: Call, answer: Told): Told {
  const { facts } = answer;
  const known: Record<string, string | null> = {
    [HEADERS.requestId]: call.id,
    [HEADERS.region]: tools.region,
    [HEADERS.workflow]: facts.workflow ?? null,
    [HEADERS.mode]: facts.mode ?? null,
    [HEADERS.release]: call.snapshot.releaseDigest,
    [HEADERS.prompt]: facts.promptVersion ?? null,
    [HEADERS.watermark]: facts.watermark ?? null,
    [HEADERS.epoch]: facts.epoch?.toString() ?? null,
    [HEADERS.snapshot]: String(call.snapshot.number),
  };
  const present = Object.entries(known).filter(
    (pair): pair is [string, string] => pair[1] !== null,
  );
  return { ...answer, headers: { ...Object.fromEntries(present), ...answer.headers } };
}

async function* recorded(
  tools: Tools,
  call: Call,
  answer: StreamedAnswer,
): AsyncGenerator<StreamPart> {
  let kept = false;
  const tally = new Tally();
  try {
    for await (const part of answer.parts) {
      tally.see(part.text);
      if (part.end !== null) {
        kept = true;
        // A caller's abort makes the upstream's body end early: that is nobody's cut.
        const outcome = call.signal.aborted ? "abandoned" : part.end.outcome;
        // Of an answer in halves, only its end knows them all.
        const facts = { ...answer.facts, ...part.end.facts };
        await keep(tools, call, { ...answer, facts }, { outcome, end: part.end, tally });
      }
      yield part;
    }
  } finally {
    if (!kept) await keep(tools, call, answer, { outcome: "abandoned", end: null, tally });
  }
}

function outcomeOf(call: Call, status: number): Outcome {
  if (call.signal.aborted) return "abandoned";
  if (status < 400) return "complete";
  return status < 500 ? "refused" : "failed";
}

interface How {
  readonly outcome: Outcome;
  readonly end: StreamEnd | null;
  readonly tally: Tally;
}

async function keep(
  tools: Tools,
  call: Call,
  answer: Told,
  { outcome, end, tally }: How,
): Promise<void> {
  const line = toRecord(tools, call, answer, outcome, end);
  count(tools, answer, line);
  countOutcome(tools, call, line, tally);
  if (outcome === "cut") tools.logger.warn({ ...line, because: end?.because }, "a stream was cut");
  await append(tools, line);
}

/**
 * Decided: a record that cannot be kept does not fail the request. Refusing every answer because
 * a log's disk is full would turn a fault of telemetry into an outage of the region. The record
 * goes to the process log instead, whole, so that it can be filed later; the failure is counted
 * and `/readyz` says so, so that the control plane can judge whether the region may go on.
 */
async function append(tools: Tools, line: AuditRecord): Promise<void> {
  const { auditFailures } = tools.metrics;
  try {
    // A log that hangs must not hold back the last byte of every answer.
    await within(tools.clock, tools.timeouts.auditMs, tools.audit.append(line));
    auditFailures.newestFailed = false;
  } catch (error) {
    auditFailures.total += 1;
    auditFailures.newestFailed = true;
    auditFailures.counter.inc();
    tools.logger.error({ audit: line, because: messageOf(error) }, "an audit record was not kept");
  }
}

function toRecord(
  tools: Tools,
  call: Call,
  { status, headers, facts }: Told,
  outcome: Outcome,
  end: StreamEnd | null,
): AuditRecord {
  const usage = end?.usage ?? facts.usage ?? null;
  return {
    at: tools.clock.now(),
    requestId: call.id,
    region: tools.region,
    tenant: facts.tenant ?? null,
    workflow: facts.workflow ?? null,
    epoch: facts.epoch ?? null,
    snapshot: Number(headers[HEADERS.snapshot] ?? call.snapshot.number),
    mode: facts.mode ?? null,
    releaseDigest: headers[HEADERS.release] ?? call.snapshot.releaseDigest,
    promptVersion: facts.promptVersion ?? null,
    watermark: facts.watermark ?? null,
    sources: [...(facts.sources ?? [])],
    forwardedTo: facts.forwardedTo ?? null,
    target: facts.target ?? null,
    attempts: (facts.attempts ?? [])
      .slice(0, MOST_ATTEMPTS)
      .map(({ target, outcome, tookMs }) => ({ target, outcome, tookMs })),
    status,
    outcome,
    promptTokens: usage?.promptTokens ?? null,
    completionTokens: usage?.completionTokens ?? null,
    tookMs: tools.clock.monotonic() - call.arrivedAt,
  };
}

function count(tools: Tools, { headers }: Told, line: AuditRecord): void {
  const { metrics } = tools;
  // Only names that the snapshot knows become labels: a caller must not invent time series.
  const workflow = line.workflow ?? "unknown";
  const region = headers[HEADERS.region] ?? tools.region;
  const mode = line.mode ?? "none";
  metrics.requests.inc({ workflow, status: String(line.status), region, mode });
  metrics.seconds.observe({ workflow }, line.tookMs / 1_000);
  if (line.forwardedTo !== null) metrics.forwarded.inc({ to: line.forwardedTo });
  if (line.mode !== null && line.mode !== "normal") metrics.degraded.inc({ workflow, mode });
  if (line.outcome === "cut") metrics.cut.inc({ workflow });
}
