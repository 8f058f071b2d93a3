import type { Signal, Subject } from "../../model/signal.ts";
import type { DetectionSpec } from "../../model/spec.ts";
import type { JudgeInput, ObservedWindow } from "./input.ts";

/** One observer's window, read: what it sees now, and since when. All times in ms. */
export interface View {
  readonly observer: string;
  readonly observerRegion: string | null;
  readonly subject: Subject;
  /** It has looked lately. A silent observer has no opinion about the present. */
  readonly fresh: boolean;
  /** It reaches none of the regions that it watches (two or more): its own network is in doubt. */
  readonly suspect: boolean;
  readonly lookedAgoMs: number;
  /** Since its last answer; null when it has none in its window. */
  readonly answeredAgoMs: number | null;
  /** The unbroken run of failures that ends now, newest first; empty when it is answered. */
  readonly failures: readonly Signal[];
  /** From the beginning of the run's first attempt to the beginning of its last. */
  readonly spanMs: number;
  /** From the beginning of the run's first attempt to now. */
  readonly failingForMs: number;
  /** What it saw last, in the probe's words. */
  readonly detail: string;
}

/**
 * Longest pause between two looks of one observer that counts as looking on. Two whole rounds: one
 * probe that times out, and one report that comes late, are an ordinary day.
 */
export function patienceMs(detection: DetectionSpec): number {
  return 2 * (detection.interval + detection.timeout);
}

export function viewsOf(input: JudgeInput): View[] {
  const read = input.windows.flatMap((window) => viewOf(window, input));
  const suspects = suspectObservers(read);
  return read.map((view) => ({ ...view, suspect: suspects.has(view.observer) }));
}

function viewOf(window: ObservedWindow, input: JudgeInput): View[] {
  const newest = window.signals[0];
  if (newest === undefined) return [];
  const patience = patienceMs(input.detection);
  const failures = failingRun(window.signals, patience);
  const answer = window.signals.find((signal) => signal.ok);
  const first = failures.at(-1) ?? newest;
  const lookedAgoMs = input.now - newest.at;
  return [
    {
      observer: window.observer,
      observerRegion: window.observerRegion,
      subject: window.subject,
      fresh: lookedAgoMs <= patience,
      suspect: false,
      lookedAgoMs,
      answeredAgoMs: answer === undefined ? null : input.now - answer.at,
      failures,
      spanMs: began(newest) - began(first),
      failingForMs: failures.length === 0 ? 0 : input.now - began(first),
      detail: newest.detail,
    },
  ];
}

/**
 * Failures back to the last answer, or to a pause in looking. A pause ends the run because nobody
 * knows what happened in it: an observer that was itself suspended between two short stops of a
 * region would otherwise have watched one long outage.
 */
function failingRun(signals: readonly Signal[], patience: number): Signal[] {
  const end = signals.findIndex((signal, index) => {
    const later = signals[index - 1];
    return signal.ok || (later !== undefined && later.at - signal.at > patience);
  });
  return signals.slice(0, end === -1 ? signals.length : end);
}

/** `at` is when an observation ended; a timeout ends long after the moment that it speaks of. */
function began(signal: Signal): number {
  return signal.at - Math.max(0, signal.latencyMs);
}

function suspectObservers(views: readonly View[]): ReadonlySet<string> {
  const entrances = views.filter((view) => view.subject.part === "gateway");
  const byObserver = Map.groupBy(entrances, (view) => view.observer);
  const suspects = [...byObserver].filter(
    ([, watched]) =>
      new Set(watched.map((view) => view.subject.region)).size >= 2 && !watched.some(isAnsweredNow),
  );
  return new Set(suspects.map(([observer]) => observer));
}

function isAnsweredNow(view: View): boolean {
  return view.fresh && view.failures.length === 0;
}
