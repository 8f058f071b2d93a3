import { AggregatorRegistry, Counter, Gauge, Registry } from "prom-client";
import type { MetricJson, Seat } from "../together.ts";

/** The sum of what threads told; a gauge says of itself how its values go together. */
export function aggregated(told: readonly (readonly MetricJson[])[]): Registry {
  return AggregatorRegistry.aggregate([...told]);
}

/** What still counts of a thread that is gone. Its gauges do not; its counts were told once already. */
export function lasting(metrics: readonly MetricJson[]): MetricJson[] {
  return metrics.filter(
    (metric) => "type" in metric && (metric.type === "counter" || metric.type === "histogram"),
  );
}

/** What only the main thread knows. */
export class CrewMetrics {
  readonly registry = new Registry();
  readonly restarts: Counter;

  constructor(seats: () => readonly Seat[]) {
    const workers: Gauge<"state"> = new Gauge({
      name: "tideover_gateway_workers",
      help: "Workers of this gateway, by what they do.",
      labelNames: ["state"],
      registers: [this.registry],
      collect(): void {
        for (const state of ["up", "starting", "silent"] as const) {
          workers.set({ state }, seats().filter((seat) => seat.state === state).length);
        }
      },
    });
    this.restarts = new Counter({
      name: "tideover_gateway_worker_restarts_total",
      help: "Workers that died and were started anew.",
      registers: [this.registry],
    });
  }
}
