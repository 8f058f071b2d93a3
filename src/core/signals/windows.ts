import type { RegionReport, Signal, Subject } from "../../model/signal.ts";

/** A report, and when its reader first saw its `seq`, in ms on the reader's monotonic clock. */
export interface ReceivedReport {
  readonly report: RegionReport;
  readonly receivedAt: number;
}

/** What one observer saw of one subject lately. */
export interface Window {
  readonly observer: string;
  /** Region the observer stands in; null outside every region. */
  readonly observerRegion: string | null;
  readonly subject: Subject;
  /** Newest first, each (observer, seq) once, none older than the horizon; never empty. */
  readonly signals: readonly Signal[];
}

/**
 * Signals of reports, their `at` converted from the observer's monotonic clock to the reader's.
 *
 * No wall clock takes part, neither the observer's nor the reader's, so that a clock that jumps
 * cannot age a success or stretch a failure. The unknown delay between writing and reading makes a
 * signal look younger than it is, never older: a success counts a little longer, and a failure
 * confirms a little later. Both are the harmless direction.
 *
 * The delay is bounded only if the reader saw the observer's previous report too. A reader that
 * has just started cannot tell a fresh report from one left behind by an observer that died last
 * week, so it should hand over an observer's reports from the second seq that it sees.
 */
export function signalsOf(reports: readonly ReceivedReport[]): Signal[] {
  return reports.flatMap(({ report, receivedAt }) =>
    report.signals.map((signal) => ({
      ...signal,
      // A signal cannot be newer than the report that carries it; a future one would never age.
      at: receivedAt - Math.max(0, report.monotonicNow - signal.at),
    })),
  );
}

/**
 * One window per (observer, subject), in a stable order. Signals older than `horizonMs` are left
 * out. `now` is the reader's monotonic clock, as in the signals. Pure and insensitive to the order
 * of its input.
 */
export function toWindows(
  signals: readonly Signal[],
  options: { readonly now: number; readonly horizonMs: number },
): Window[] {
  const recent = signals.filter((signal) => options.now - signal.at <= options.horizonMs);
  const groups = Map.groupBy(deduplicated(recent), groupKey);
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, members]) => windowOf(members.toSorted(newestFirst)));
}

/**
 * Each (observer, seq) once. Successive reports repeat their signals, each with its own reading
 * delay, and the copy that looks youngest is kept: an older choice could date the first failure by
 * a quick report and the last by a slow one, and so make an outage look longer than it was.
 */
function deduplicated(signals: readonly Signal[]): Signal[] {
  const observers = new Map<string, Map<number, Signal>>();
  for (const signal of signals) {
    const kept = observers.get(signal.observer) ?? new Map<number, Signal>();
    observers.set(signal.observer, kept);
    const known = kept.get(signal.seq);
    if (known === undefined || prefers(signal, known)) kept.set(signal.seq, signal);
  }
  return [...observers.values()].flatMap((kept) => [...kept.values()]);
}

/** Youngest wins; at the same moment a success wins, since only failures can cost a region. */
function prefers(candidate: Signal, known: Signal): boolean {
  if (candidate.at !== known.at) return candidate.at > known.at;
  return candidate.ok && !known.ok;
}

function groupKey(signal: Signal): string {
  const { subject, observer } = signal;
  const target = subject.part === "target" ? [subject.target, subject.gateway] : [];
  return JSON.stringify([subject.region, subject.part, observer, ...target]);
}

function newestFirst(a: Signal, b: Signal): number {
  return b.at - a.at || b.seq - a.seq;
}

function windowOf(signals: readonly Signal[]): Window[] {
  const newest = signals[0];
  if (newest === undefined) return [];
  const { observer, observerRegion, subject } = newest;
  return [{ observer, observerRegion, subject, signals }];
}
