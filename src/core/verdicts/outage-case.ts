import type { JudgeInput } from "./input.ts";
import type { View } from "./views.ts";

/** Fewer failed observations than this may be one lost packet and its retry. */
export const LEAST_FAILURES = 3;

/** All that is known about one region, sorted by what it is good for. */
export interface OutageCase {
  readonly region: string;
  readonly confirmMs: number;
  readonly witnessesNeeded: number;
  /** Observers of the gateway that looked lately; those of them that are not suspect. */
  readonly fresh: readonly View[];
  readonly trusted: readonly View[];
  /** Trusted observers whose failing run is long enough to confirm an outage. */
  readonly witnesses: readonly View[];
  /** Observers of the gateway that looked once and went silent. */
  readonly silent: readonly View[];
  /** The youngest answer to anybody within `confirm`; null when there was none. */
  readonly lastAnswer: View | null;
}

export function caseOf(input: JudgeInput, region: string, views: readonly View[]): OutageCase {
  const ours = views.filter((view) => view.subject.region === region);
  const gateway = ours.filter((view) => view.subject.part === "gateway");
  const fresh = gateway.filter((view) => view.fresh);
  const trusted = fresh.filter((view) => !view.suspect);
  const confirmMs = input.detection.confirm;
  return {
    region,
    confirmMs,
    // The spec cannot ask for fewer than two, and this room does not take its word for it.
    witnessesNeeded: Math.max(2, input.detection.witnesses),
    fresh,
    trusted,
    witnesses: trusted.filter((view) => canWitness(view, confirmMs)),
    silent: gateway.filter((view) => !view.fresh),
    lastAnswer: lastAnswerOf(gateway, confirmMs),
  };
}

/** Point 3 of the safety argument in region-outage.ts. */
export function canWitness(view: View, confirmMs: number): boolean {
  return view.failures.length >= LEAST_FAILURES && view.spanMs >= confirmMs;
}

function lastAnswerOf(views: readonly View[], confirmMs: number): View | null {
  const age = (view: View): number => view.answeredAgoMs ?? Number.POSITIVE_INFINITY;
  const youngest = views.toSorted((a, b) => age(a) - age(b))[0];
  return youngest !== undefined && age(youngest) <= confirmMs ? youngest : null;
}
