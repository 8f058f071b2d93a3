import { median, percentile, rounded } from "../support/figures.ts";
import type { Outcome } from "./callers.ts";
import { compare } from "./compare.ts";

/** What one fault did to its callers. */
export interface FaultResult {
  readonly name: string;
  /** Requests that ended without any answer. */
  readonly errors: number;
  /** Answers that ended in the middle. */
  readonly cut: number;
  /** Words, over all answers. */
  readonly duplicated: number;
  readonly lost: number;
  /** null: nobody showed that they noticed. */
  readonly detectMs: number | null;
  readonly detectedBy: string | null;
  readonly addedP50Ms: number | null;
  readonly addedP99Ms: number | null;
  /** Answers that took longer than those before the fault did. */
  readonly hit: number;
  readonly requests: number;
  readonly streams: number;
  readonly firstFailure: string | null;
  /** Why the added times are not to be trusted; null when they are. */
  readonly noise: string | null;
}

export interface Expected {
  readonly whole: string;
  readonly streamed: string;
}

export function judge(
  name: string,
  outcomes: readonly Outcome[],
  struckAt: number,
  expected: Expected,
): Omit<FaultResult, "detectMs" | "detectedBy"> {
  const after = outcomes.filter(({ endedAt }) => endedAt >= struckAt);
  const differences = after
    .filter(({ result }) => result !== "error")
    .map(({ streamed, text, result }) =>
      compare(streamed ? expected.streamed : expected.whole, text, result === "cut"),
    );
  const added = [true, false].flatMap((streamed) => addedOf(outcomes, streamed, struckAt));
  const failures = after.filter(({ result }) => result !== "whole");
  return {
    name,
    errors: failures.filter(({ result }) => result === "error").length,
    cut: failures.filter(({ result }) => result === "cut").length,
    duplicated: differences.reduce((sum, { duplicated }) => sum + duplicated, 0),
    lost: differences.reduce((sum, { lost }) => sum + lost, 0),
    addedP50Ms: added.length === 0 ? 0 : rounded(median(added), 0),
    addedP99Ms: added.length === 0 ? 0 : rounded(percentile(added, 0.99), 0),
    hit: added.length,
    requests: after.filter(({ streamed }) => !streamed).length,
    streams: after.filter(({ streamed }) => streamed).length,
    firstFailure: failures[0]?.detail ?? null,
    noise: noiseOf(outcomes, struckAt),
  };
}

/** Where whole answers took very different times already, nobody can say what the fault added. */
function noiseOf(outcomes: readonly Outcome[], struckAt: number): string | null {
  const before = outcomes
    .filter(({ streamed, endedAt }) => !streamed && endedAt < struckAt)
    .map(took);
  const [usual, most] = [median(before), percentile(before, 0.99)];
  if (most < 1.5 * usual) return null;
  return `before it, whole answers took ${Math.round(usual)} ms, and 1 of 100 more than ${Math.round(most)}: the machine was busy`;
}

/**
 * How much longer the requests took that the fault hit: those under way or sent after it that took
 * longer than 99 of 100 before it. The same question always makes the same answer, so all of one
 * kind take the same time when nothing is wrong.
 */
function addedOf(outcomes: readonly Outcome[], streamed: boolean, struckAt: number): number[] {
  const same = outcomes.filter((one) => one.streamed === streamed && one.result === "whole");
  const before = same.filter(({ endedAt }) => endedAt < struckAt).map(took);
  const usual = median(before);
  const most = percentile(before, 0.99);
  return same
    .filter((one) => one.endedAt >= struckAt && took(one) > most)
    .map((one) => took(one) - usual);
}

function took({ sentAt, endedAt }: Outcome): number {
  return endedAt - sentAt;
}
