import { messageOf } from "../../lib/errors.ts";
import type { AuditRecord } from "../../model/audit.ts";
import { HEADERS } from "../../wire/headers.ts";
import type { Tools } from "../options.ts";
import { sharedWithin } from "../within.ts";
import {
  type Answer,
  type Call,
  type Facts,
  type LastPart,
  type Link,
  type Parts,
  passing,
  pour,
  type Sink,
  type StreamEnd,
  type StreamedAnswer,
  type StreamPart,
  type WholeAnswer,
} from "./call.ts";
import { allFacts } from "./known.ts";
import { nobodyAnswered } from "./nobody.ts";
import { countOutcome, Tally } from "./outcome.ts";
import { refuse } from "./refuse.ts";

/** A held request may have tried for long; its record stays one line of a bearable length. */
const MOST_ATTEMPTS = 50;

/** An answer of which all is known. */
type Told = (WholeAnswer | StreamedAnswer) & { readonly facts: Facts };
type Outcome = AuditRecord["outcome"];

/**
 * The outermost link: names on every answer what made it, and keeps its audit record before the
 * caller has the last byte. A caller that holds a whole answer can therefore rely on the record.
 */
export function record(tools: Tools): Link {
  const kept = keeping(tools);
  return (next) => async (call) => {
    let came: Answer;
    try {
      came = await next(call);
    } catch (error) {
      came = failed(tools, call, error);
    }
    const answer = announced(tools, call, came);
    if (answer.kind === "stream") return { ...answer, parts: new Recorded(kept, call, answer) };
    const tally = new Tally();
    tally.see(answer.body);
    await kept(call, answer, { outcome: outcomeOf(call, answer.status), end: null, tally });
    return answer;
  };
}

/** A fault of ours is an answer too, with its id and its record, and never takes the process down. */
function failed(tools: Tools, call: Call, error: unknown): WholeAnswer {
  tools.logger.error({ requestId: call.id, err: error }, "a request failed inside the gateway");
  return refuse({
    status: 500,
    code: "internal_error",
    message: `The gateway of ${tools.region} failed on this request; its log has the cause under ${call.id}.`,
  });
}

/** Puts what is known on the answer. What a forwarded answer already says of itself stays. */
function announced(tools: Tools, call: Call, came: Answer): Told {
  const answer = came.kind === "unanswered" ? nobodyAnswered(call, came.facts) : came;
  const { known } = call;
  const facts = allFacts(known, answer.facts);
  const { workflow, mode, promptVersion, watermark, position, stale, epoch } = facts;
  const headers: Record<string, string> = {
    [HEADERS.requestId]: call.id,
    [HEADERS.region]: tools.region,
    [HEADERS.release]: known.snapshot.releaseDigest,
    [HEADERS.snapshot]: String(known.snapshot.number),
  };
  if (workflow !== null) headers[HEADERS.workflow] = workflow;
  if (mode !== null) headers[HEADERS.mode] = mode;
  if (promptVersion !== null) headers[HEADERS.prompt] = promptVersion;
  if (watermark !== null) headers[HEADERS.watermark] = watermark;
  if (position !== null) headers[HEADERS.indexPosition] = position;
  if (stale !== null) headers[HEADERS.stale] = stale;
  if (epoch !== null) headers[HEADERS.epoch] = String(epoch);
  Object.assign(headers, known.limits, answer.headers);
  return { ...answer, headers, facts };
}

/**
 * The parts as they are, with a record before the last one is told. By hand and not as a generator:
 * that would cost each event of each stream two more turns of the queue.
 */
class Recorded implements AsyncIterableIterator<StreamPart, undefined>, Parts {
  readonly #keep: Keep;
  readonly #call: Call;
  readonly #answer: StreamedAnswer & Told;
  readonly #parts: AsyncIterator<StreamPart>;
  readonly #tally = new Tally();
  #kept = false;

  constructor(keep: Keep, call: Call, answer: StreamedAnswer & Told) {
    this.#keep = keep;
    this.#call = call;
    this.#answer = answer;
    this.#parts = answer.parts[Symbol.asyncIterator]();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<StreamPart, undefined>> {
    return this.#parts.next().then(
      (result) => {
        if (result.done === true) return this.#left();
        this.#tally.see(result.value.text);
        const { end } = result.value;
        return end === null ? result : this.#ended({ ...result.value, end });
      },
      async (error: unknown) => {
        await this.#left();
        throw error;
      },
    );
  }

  async pour(sink: Sink): Promise<LastPart | null> {
    let last: LastPart | null;
    try {
      const passed = passing(sink, (text) => this.#tally.see(text));
      last = await pour(this.#answer.parts, passed);
    } catch (error) {
      await this.#left();
      throw error;
    }
    if (last === null) await this.#left();
    else {
      this.#tally.see(last.text);
      await this.#ended(last);
    }
    return last;
  }

  async return(): Promise<IteratorResult<StreamPart, undefined>> {
    await this.#parts.return?.();
    return this.#left();
  }

  async #ended(part: LastPart): Promise<IteratorResult<StreamPart, undefined>> {
    const { end } = part;
    this.#kept = true;
    const answer = this.#answer;
    // A caller's abort makes the upstream's body end early: that is nobody's cut.
    const outcome = this.#call.signal.aborted ? "abandoned" : end.outcome;
    // Of an answer in halves, only its end knows them all.
    const facts = { ...answer.facts, ...end.facts };
    await this.#keep(this.#call, { ...answer, facts }, { outcome, end, tally: this.#tally });
    return { done: false, value: part };
  }

  async #left(): Promise<IteratorResult<StreamPart, undefined>> {
    if (!this.#kept) {
      this.#kept = true;
      const how = { outcome: "abandoned", end: null, tally: this.#tally } as const;
      await this.#keep(this.#call, this.#answer, how);
    }
    return { done: true, value: undefined };
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

/** Counts an answer and keeps its record. */
type Keep = (call: Call, answer: Told, how: How) => Promise<void>;

function keeping(tools: Tools): Keep {
  const append = appending(tools);
  return (call, answer, { outcome, end, tally }) => {
    const line = toRecord(tools, call, answer, outcome, end);
    count(tools, answer, line);
    countOutcome(tools, call, line, tally);
    if (outcome === "cut")
      tools.logger.warn({ ...line, because: end?.because }, "a stream was cut");
    return append(line);
  };
}

/**
 * Decided: a record that cannot be kept does not fail the request. Refusing every answer because
 * a log's disk is full would turn a fault of telemetry into an outage of the region. The record
 * goes to the process log instead, whole, so that it can be filed later; the failure is counted
 * and `/readyz` says so, so that the control plane can judge whether the region may go on.
 */
function appending({ audit, clock, timeouts, metrics, logger }: Tools) {
  const { auditFailures } = metrics;
  // A log that hangs must not hold back the last byte of every answer.
  const bounded = sharedWithin<void>(clock, timeouts.auditMs);
  const kept = (): void => {
    auditFailures.newestFailed = false;
  };
  const lost = (line: AuditRecord, error: unknown): void => {
    auditFailures.total += 1;
    auditFailures.newestFailed = true;
    auditFailures.counter.inc();
    logger.error({ audit: line, because: messageOf(error) }, "an audit record was not kept");
  };
  return (line: AuditRecord): Promise<void> =>
    bounded(audit.append(line)).then(kept, (error: unknown) => lost(line, error));
}

function toRecord(
  tools: Tools,
  call: Call,
  { status, headers, facts }: Told,
  outcome: Outcome,
  end: StreamEnd | null,
): AuditRecord {
  const usage = end?.usage ?? facts.usage;
  return {
    at: tools.clock.now(),
    requestId: call.id,
    region: tools.region,
    tenant: facts.tenant,
    workflow: facts.workflow,
    epoch: facts.epoch,
    snapshot: Number(headers[HEADERS.snapshot] ?? call.snapshot.number),
    mode: facts.mode,
    releaseDigest: headers[HEADERS.release] ?? call.snapshot.releaseDigest,
    promptVersion: facts.promptVersion,
    watermark: facts.watermark,
    ...(facts.stale === null ? {} : { stale: facts.stale }),
    sources: [...facts.sources],
    forwardedTo: facts.forwardedTo,
    target: facts.target,
    attempts: facts.attempts
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
  if (line.stale !== undefined) metrics.stale.inc({ workflow });
  if (line.outcome === "cut") metrics.cut.inc({ workflow });
}
