import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Traffic } from "./targets/budget.ts";
import type { TargetOutcomes } from "./targets/health.ts";
import type { Outcomes } from "./targets/memory.ts";

/** What `/metrics` shows. A registry of its own: two gateways in one process do not mix. */
export interface Metrics {
  readonly registry: Registry;
  readonly requests: Counter<"workflow" | "status" | "region" | "mode">;
  readonly seconds: Histogram<"workflow">;
  readonly forwarded: Counter<"to">;
  readonly held: Counter<"workflow" | "result">;
  readonly degraded: Counter<"workflow" | "mode">;
  readonly stale: Counter<"workflow">;
  readonly cut: Counter<"workflow">;
  readonly resumed: Counter<"workflow" | "result">;
  readonly auditFailures: AuditFailures;
}

/** Counts, and remembers whether the newest record could be kept: `/readyz` tells it. */
interface AuditFailures {
  readonly counter: Counter;
  total: number;
  newestFailed: boolean;
}

/**
 * Asked at each scrape, so that a gauge is never older than the scrape. Several threads count each
 * for itself, and `workers/metrics.ts` adds up; what they share, each tells whole.
 */
export interface Gauged {
  readonly snapshotNumber: () => number;
  readonly targets: { outcomes(): readonly (Outcomes & Partial<TargetOutcomes>)[] };
  readonly retries?: { traffic(): Traffic };
}

export function createMetrics(gauged: Gauged): Metrics {
  const registry = new Registry();
  const registers = [registry];
  addGauges(registry, gauged);
  return {
    registry,
    requests: new Counter({
      name: "tideover_gateway_requests_total",
      help: "Chat requests answered, by the region and the mode that answered.",
      labelNames: ["workflow", "status", "region", "mode"],
      registers,
    }),
    seconds: new Histogram({
      name: "tideover_gateway_request_seconds",
      help: "From a request's arrival to the last byte of its answer.",
      labelNames: ["workflow"],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    }),
    forwarded: new Counter({
      name: "tideover_gateway_forwarded_total",
      help: "Requests answered by another region's gateway.",
      labelNames: ["to"],
      registers,
    }),
    held: new Counter({
      name: "tideover_gateway_held_total",
      help: "Requests that nobody answered at first, and how their waiting ended.",
      labelNames: ["workflow", "result"],
      registers,
    }),
    degraded: new Counter({
      name: "tideover_gateway_degraded_total",
      help: "Answers made in a degraded mode.",
      labelNames: ["workflow", "mode"],
      registers,
    }),
    stale: new Counter({
      name: "tideover_gateway_stale_total",
      help: "Requests whose documents were older than promised, whatever became of them.",
      labelNames: ["workflow"],
      registers,
    }),
    cut: new Counter({
      name: "tideover_gateway_streams_cut_total",
      help: "Streams that began and could not be finished.",
      labelNames: ["workflow"],
      registers,
    }),
    resumed: new Counter({
      name: "tideover_gateway_streams_resumed_total",
      help: "Streams that were cut and continued or made again, and how they ended.",
      labelNames: ["workflow", "result"],
      registers,
    }),
    auditFailures: {
      counter: new Counter({
        name: "tideover_gateway_audit_failures_total",
        help: "Audit records that could not be kept.",
        registers,
      }),
      total: 0,
      newestFailed: false,
    },
  };
}

function addGauges(registry: Registry, gauged: Gauged): void {
  const snapshot: Gauge = new Gauge({
    name: "tideover_gateway_snapshot_number",
    help: "Number of the snapshot that is served; 0 without one.",
    aggregator: "min",
    registers: [registry],
    collect(): void {
      snapshot.set(gauged.snapshotNumber());
    },
  });
  const targets: Gauge<"target"> = new Gauge({
    name: "tideover_gateway_target_state",
    help: "1 for a target in use, 0 while it is ejected, or asked last because it is slow.",
    aggregator: "min",
    labelNames: ["target"],
    registers: [registry],
    collect(): void {
      for (const { name, ejectedForMs } of gauged.targets.outcomes()) {
        targets.set({ target: name }, ejectedForMs > 0 ? 0 : 1);
      }
    },
  });
  addTargetGauges(registry, gauged);
}

function addTargetGauges(registry: Registry, { targets, retries }: Gauged): void {
  const ejections: Gauge<"target"> = new Gauge({
    name: "tideover_gateway_target_ejections",
    help: "Times in a row that a target was left alone without a whole answer in between.",
    aggregator: "max",
    labelNames: ["target"],
    registers: [registry],
    collect(): void {
      for (const { name, ejections: count } of targets.outcomes()) {
        ejections.set({ target: name }, count ?? 0);
      }
    },
  });
  const p95: Gauge<"target" | "measure"> = new Gauge({
    name: "tideover_gateway_target_p95_seconds",
    help: "What is normal for a target: first event of a stream, whole answer, pause in a stream.",
    aggregator: "max",
    labelNames: ["target", "measure"],
    registers: [registry],
    collect(): void {
      for (const { name, p95Ms } of targets.outcomes()) {
        for (const [measure, ms] of Object.entries(p95Ms ?? {})) {
          if (ms !== null) p95.set({ target: name, measure }, ms / 1_000);
        }
      }
    },
  });
  addSlowness(registry, targets);
  const recent: Gauge<"kind"> = new Gauge({
    name: "tideover_gateway_recent_tries",
    help: "Requests of the last ten seconds, and retries that the budget allowed them.",
    aggregator: "max",
    labelNames: ["kind"],
    registers: [registry],
    collect(): void {
      for (const [kind, count] of Object.entries(retries?.traffic() ?? {}))
        recent.set({ kind }, count);
    },
  });
}

function addSlowness(registry: Registry, targets: Gauged["targets"]): void {
  const usual: Gauge<"target" | "measure" | "over"> = new Gauge({
    name: "tideover_gateway_target_median_seconds",
    help: "What a target takes, in the long run and lately; `pace` is from one event to the next.",
    aggregator: "max",
    labelNames: ["target", "measure", "over"],
    registers: [registry],
    collect(): void {
      for (const { name, usual: measures } of targets.outcomes()) {
        for (const [measure, { normalMs, nowMs }] of Object.entries(measures ?? {})) {
          if (normalMs !== null) usual.set({ target: name, measure, over: "long" }, normalMs / 1e3);
          if (nowMs !== null) usual.set({ target: name, measure, over: "newest" }, nowMs / 1e3);
        }
      }
    },
  });
  const slow: Gauge<"target"> = new Gauge({
    name: "tideover_gateway_target_slow",
    help: "1 for a target that is slower than is normal for it.",
    aggregator: "max",
    labelNames: ["target"],
    registers: [registry],
    collect(): void {
      for (const { name, slow: why } of targets.outcomes()) {
        slow.set({ target: name }, (why ?? null) === null ? 0 : 1);
      }
    },
  });
  const probes: Gauge<"target"> = new Gauge({
    name: "tideover_gateway_target_probes",
    help: "How often a silent target was asked for a sign of life; no request, and no completion.",
    aggregator: "max",
    labelNames: ["target"],
    registers: [registry],
    collect(): void {
      for (const { name, probes: count } of targets.outcomes()) {
        probes.set({ target: name }, count ?? 0);
      }
    },
  });
}
