import { messageOf } from "../lib/errors.ts";
import type { SourceChange, SourceDocument } from "../model/change.ts";
import { type Position, positionSchema } from "../model/position.ts";
import type { Clock } from "../ports/clock.ts";
import type { Probe } from "../ports/probe.ts";
import { AGENT_PATHS } from "../wire/headers.ts";

const INGEST_TIMEOUT_MS = 10_000;

export interface PipelineTarget {
  /** Base URL of an agent. */
  readonly agent: string;
  readonly index: string;
  readonly token: string;
}

export type IngestResult =
  | {
      readonly ok: true;
      readonly position: Position;
      /** What a request may ask for (`x-tideover-min-position`), with its proof. */
      readonly minPosition?: string;
    }
  | { readonly ok: false; readonly status: number | null; readonly detail: string };

/** Sends changes to an agent, as a pipeline does. Never throws. */
export async function ingest(
  probe: Probe,
  target: PipelineTarget,
  changes: readonly SourceChange[],
): Promise<IngestResult> {
  const answer = await probe.exchange({
    url: `${target.agent}${AGENT_PATHS.changes(target.index)}`,
    method: "POST",
    headers: { authorization: `Bearer ${target.token}` },
    body: changes,
    timeoutMs: INGEST_TIMEOUT_MS,
  });
  if (!answer.answered) return { ok: false, status: null, detail: answer.reason };
  try {
    const body = JSON.parse(answer.body);
    if (answer.status !== 200) {
      return {
        ok: false,
        status: answer.status,
        detail: String(body?.error?.message ?? answer.body),
      };
    }
    const { minPosition } = body;
    return {
      ok: true,
      position: positionSchema.parse(body.position),
      ...(typeof minPosition === "string" ? { minPosition } : {}),
    };
  } catch (error) {
    return { ok: false, status: answer.status, detail: messageOf(error) };
  }
}

/** What a pipeline was promised: changes that the index's owner said it has. */
export interface Acknowledged {
  readonly sourceTime: number;
  readonly position: Position;
  /** Wall clock, ms. */
  readonly at: number;
}

export interface Trickle {
  readonly acknowledged: readonly Acknowledged[];
  stop(): Promise<void>;
}

/**
 * A steady drip of small updates, one document over and over, so that "how much was lost" is a
 * measured number. `target` is asked anew for each change: after a failover the writer is another.
 */
export function startTrickle(options: {
  readonly probe: Probe;
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly document: (sequence: number, sourceTime: number) => SourceDocument;
  readonly target: () => PipelineTarget;
}): Trickle {
  const { probe, clock, intervalMs } = options;
  const acknowledged: Acknowledged[] = [];
  const stopped = new AbortController();
  const run = async (): Promise<void> => {
    for (let sequence = 1; !stopped.signal.aborted; sequence += 1) {
      const sourceTime = clock.now();
      const document = options.document(sequence, sourceTime);
      const result = await ingest(probe, options.target(), [{ op: "upsert", document }]);
      if (result.ok) acknowledged.push({ sourceTime, position: result.position, at: clock.now() });
      await clock.sleep(intervalMs, stopped.signal);
    }
  };
  const running = run();
  return {
    acknowledged,
    stop: async () => {
      stopped.abort();
      await running;
      // The drill's own document must not be found by anybody's question afterwards.
      const { id } = options.document(0, clock.now());
      await ingest(probe, options.target(), [{ op: "delete", id, sourceTime: clock.now() }]);
    },
  };
}
