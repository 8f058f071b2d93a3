import { formatDuration } from "../../model/units.ts";
import { LEAST_FAILURES, type OutageCase } from "./outage-case.ts";
import type { View } from "./views.ts";

/** The sentences of a region-outage verdict: one each, with names and figures, no full stop. */

/** What one observer saw, for the list of witnesses. */
export function saw(view: View): string {
  const doubt = view.suspect ? " (suspect: no region that it watches answers it)" : "";
  if (view.failures.length === 0) return `${view.detail}${doubt}`;
  const figures = `${count(view.failures.length, "failure")} in ${formatDuration(view.failingForMs)}`;
  return `${figures}, newest: ${view.detail}${doubt}`;
}

export function failedBecause(one: OutageCase): string {
  const longest = longestOf(one.witnesses);
  const agreed = list(one.witnesses.map((view) => `${view.observer} (${view.detail})`));
  return `${one.region}'s gateway has answered nobody for ${formatDuration(longest)}: ${agreed} agree${insideSilence(one)}`;
}

/** Observers that died with the region explain themselves; they were never needed. */
function insideSilence(one: OutageCase): string {
  const inside = one.silent.filter((view) => view.observerRegion === one.region);
  if (inside.length === 0) return "";
  const words = inside.map(
    (view) => `${view.observer} inside it fell silent ${formatDuration(view.lookedAgoMs)} ago`,
  );
  return `, and ${list(words)}`;
}

/** Something fails, but not everything that an outage needs is there: which is missing. */
export function unconfirmedBecause(one: OutageCase): string {
  const answered = one.trusted.filter((view) => view.failures.length === 0);
  const failing = one.trusted.filter((view) => view.failures.length > 0);
  if (answered.length > 0) return disagreement(one, answered, failing);
  if (one.witnesses.length === 0) return tooShort(one, failing);
  if (one.lastAnswer !== null) return recentlyAnswered(one, one.lastAnswer);
  if (one.witnesses.length < one.witnessesNeeded) return tooFew(one);
  return `nobody outside ${one.region} confirms what ${names(one.witnesses)} inside it report: no answer for ${formatDuration(longestOf(one.witnesses))}`;
}

function disagreement(
  one: OutageCase,
  answered: readonly View[],
  failing: readonly View[],
): string {
  const verb = answered.length === 1 ? "is" : "are";
  return `${names(answered)} ${verb} answered by ${one.region}'s gateway while ${names(failing)} had no answer for ${formatDuration(longestOf(failing))}`;
}

function tooShort(one: OutageCase, failing: readonly View[]): string {
  const longest = failing.toSorted((a, b) => b.spanMs - a.spanMs)[0];
  const attempts = count(longest?.failures.length ?? 0, "failed attempt");
  const spanMs = longest?.spanMs ?? 0;
  const missing =
    spanMs < one.confirmMs
      ? `${formatDuration(one.confirmMs - spanMs)} more would confirm an outage`
      : `${LEAST_FAILURES} would confirm an outage`;
  return `${one.region}'s gateway has not answered for ${formatDuration(longestOf(failing))} (${attempts}, newest: ${longest?.detail ?? "none"}): ${missing}`;
}

function recentlyAnswered(one: OutageCase, answer: View): string {
  const agoMs = answer.answeredAgoMs ?? 0;
  return `${names(one.witnesses)} had no answer from ${one.region}'s gateway for ${formatDuration(longestOf(one.witnesses))}, but ${answer.observer} had one ${formatDuration(agoMs)} ago: ${formatDuration(one.confirmMs - agoMs)} more without any would confirm an outage`;
}

function tooFew(one: OutageCase): string {
  return `only ${names(one.witnesses)} has had no answer from ${one.region}'s gateway for ${formatDuration(longestOf(one.witnesses))}: ${one.witnessesNeeded} witnesses are needed`;
}

export function nobodyLooked(one: OutageCase): string {
  const last = one.silent.toSorted((a, b) => a.lookedAgoMs - b.lookedAgoMs)[0];
  if (last === undefined) return `nobody has looked at ${one.region}'s gateway yet`;
  return `nobody looks at ${one.region}'s gateway now: the last was ${last.observer}, ${formatDuration(last.lookedAgoMs)} ago`;
}

export function onlySuspects(one: OutageCase): string {
  const [whose, reach] =
    one.fresh.length === 1
      ? ["its own network is", "it reaches"]
      : ["their own networks are", "they reach"];
  return `only ${names(one.fresh)} looked at ${one.region}'s gateway, and ${reach} no region at all: ${whose} suspect`;
}

export function sharedCauseBecause(regions: readonly string[], release: string | null): string {
  if (release !== null) {
    return `not the regions: ${list([...regions])} all fell silent after each of them got release ${release.slice(0, 19)}, and moving traffic cures no release`;
  }
  return `shared cause suspected: ${list([...regions])} all look failed at once, and moving traffic cures no shared cause`;
}

function longestOf(views: readonly View[]): number {
  return Math.max(0, ...views.map((view) => view.failingForMs));
}

function names(views: readonly View[]): string {
  return list(views.map((view) => view.observer));
}

function list(words: readonly string[]): string {
  const last = words.at(-1);
  if (words.length <= 1 || last === undefined) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${last}`;
}

function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}
