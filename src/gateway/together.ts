import { mergedHistogram, type OutcomeWindow } from "../model/outcomes.ts";
import type { Trouble } from "../model/trouble.ts";
import type { Outcomes } from "./targets/memory.ts";

/** What one thread says of itself; plain data, for it crosses threads. */
export interface Part {
  /** Of the snapshot that it serves; 0 without one. */
  readonly number: number;
  readonly sinceMs: number;
  readonly indexes: readonly Outcomes[];
  /** Copies that refused to answer because they may not be believed. */
  readonly damaged: readonly Trouble[];
  /** Of each release that answered here lately. */
  readonly outcomes: readonly OutcomeWindow[];
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

/** One list of what several threads answered: the windows of one release are one window. */
export function mergedWindows(lists: readonly (readonly OutcomeWindow[])[]): OutcomeWindow[] {
  const [only, ...others] = lists;
  if (only !== undefined && others.length === 0) return [...only];
  const merged = new Map<string, OutcomeWindow>();
  for (const window of lists.flat()) {
    const key = JSON.stringify([window.workflow, window.region, window.release]);
    const before = merged.get(key);
    merged.set(key, before === undefined ? window : together(before, window));
  }
  return [...merged.values()];
}

function together(one: OutcomeWindow, other: OutcomeWindow): OutcomeWindow {
  return {
    workflow: one.workflow,
    region: one.region,
    release: one.release,
    fromMsAgo: Math.max(one.fromMsAgo, other.fromMsAgo),
    toMsAgo: Math.min(one.toMsAgo, other.toMsAgo),
    requests: one.requests + other.requests,
    errors: one.errors + other.errors,
    refusals: one.refusals + other.refusals,
    latency: mergedHistogram([one.latency, other.latency]),
    recent: {
      requests: one.recent.requests + other.recent.requests,
      errors: one.recent.errors + other.recent.errors,
      latency: mergedHistogram([one.recent.latency, other.recent.latency]),
    },
    length: mergedHistogram([one.length, other.length]),
    cost: mergedHistogram([one.cost, other.cost]),
  };
}
