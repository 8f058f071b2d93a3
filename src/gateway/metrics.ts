import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Memory } from "./targets/memory.ts";

/** What `/metrics` shows. A registry of its own: two gateways in one process do not mix. */
export interface Metrics {
  readonly registry: Registry;
  readonly requests: Counter<"workflow" | "status" | "region" | "mode">;
  readonly seconds: Histogram<"workflow">;
  readonly forwarded: Counter<"to">;
  readonly held: Counter<"workflow" | "result">;
  readonly degraded: Counter<"workflow" | "mode">;
  readonly cut: Counter<"workflow">;
  readonly auditFailures: AuditFailures;
}

/** Counts, and remembers whether the newest record could be kept: `/readyz` tells it. */
interface AuditFailures {
  readonly counter: Counter;
  total: number;
  newestFailed: boolean;
}

/** Asked at each scrape, so that a gauge is never older than the scrape. */
export interface Gauged {
  readonly snapshotNumber: () => number;
  readonly targets: Memory;
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
    cut: new Counter({
      name: "tideover_gateway_streams_cut_total",
      help: "Streams that began and could not be finished.",
      labelNames: ["workflow"],
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
    registers: [registry],
    collect(): void {
      snapshot.set(gauged.snapshotNumber());
    },
  });
  const targets: Gauge<"target"> = new Gauge({
    name: "tideover_gateway_target_state",
    help: "1 for a target in use, 0 while it is ejected.",
    labelNames: ["target"],
    registers: [registry],
    collect(): void {
      for (const { name, ejectedForMs } of gauged.targets.outcomes()) {
        targets.set({ target: name }, ejectedForMs > 0 ? 0 : 1);
      }
    },
  });
}
