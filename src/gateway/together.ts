import type { Outcomes } from "./targets/memory.ts";

/** What one thread says of itself; plain data, for it crosses threads. */
export interface Part {
  /** Of the snapshot that it serves; 0 without one. */
  readonly number: number;
  readonly sinceMs: number;
  readonly indexes: readonly Outcomes[];
  readonly auditFailures: { readonly total: number; readonly newestFailed: boolean };
}

/** Where one of a gateway's threads runs, is run anew, or does not answer. */
export interface Seat {
  /** From 1. */
  readonly worker: number;
  readonly state: "up" | "starting" | "silent";
  /** The number that it last acknowledged. */
  readonly snapshot: number;
  readonly restarts: number;
}

export interface Whole {
  readonly parts: readonly Part[];
  /** Empty for a gateway of one thread. */
  readonly seats: readonly Seat[];
}

/** A metric as prom-client hands it from one process to another. */
export type MetricJson = object;

/** What a thread can be asked for by whoever runs it. */
export interface Own {
  part(): Part;
  metrics(): Promise<MetricJson[]>;
}

/** The gateway as a whole, whichever of its threads was asked. Never hangs on one that does not answer. */
export interface Together {
  look(): Promise<Whole>;
  /** In Prometheus' text format. */
  metricsPage(): Promise<string>;
}

/** The number that all of it serves: nothing above it is acknowledged. */
export function lowestNumber({ parts, seats }: Whole): number {
  // A thread that is only being started serves nobody.
  const serving = seats.filter(({ state }) => state !== "starting");
  const numbers = [
    ...parts.map(({ number }) => number),
    ...serving.map(({ snapshot }) => snapshot),
  ];
  return numbers.length === 0 ? 0 : Math.min(...numbers);
}

/** One list of what several threads know: totals, and the worst of what cannot be added. */
export function mergedOutcomes(lists: readonly (readonly Outcomes[])[]): Outcomes[] {
  const merged = new Map<string, Outcomes>();
  for (const outcome of lists.flat()) {
    const before = merged.get(outcome.name);
    merged.set(outcome.name, before === undefined ? outcome : worse(before, outcome));
  }
  return [...merged.values()];
}

function worse(one: Outcomes, other: Outcomes): Outcomes {
  return {
    name: one.name,
    succeeded: one.succeeded + other.succeeded,
    failed: one.failed + other.failed,
    failedInARow: Math.max(one.failedInARow, other.failedInARow),
    ejectedForMs: Math.max(one.ejectedForMs, other.ejectedForMs),
    lastFailure: one.lastFailure ?? other.lastFailure,
  };
}
