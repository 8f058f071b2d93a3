import type { Snapshot } from "../../model/snapshot.ts";
import type { Trouble } from "../../model/trouble.ts";
import { own } from "../chain/own.ts";
import type { TargetOutcomes } from "./health.ts";

/** What a target is asked for stands behind its name, when it is not chat. */
const PURPOSE = / \([\w-]+\)$/;
const GATEWAY = /^gateway:/;

/**
 * The targets that are not well, for those who watch this gateway from outside. Only those of the
 * present snapshot: what it does not name is asked no more, and would stay as it was for ever.
 */
export function troublesOf(
  outcomes: readonly TargetOutcomes[],
  snapshot: Snapshot | null,
  region: string,
): Trouble[] {
  return outcomes.flatMap((outcome) => {
    const { name, standing, slow, troubledForMs, failedAgoMs, ejections } = outcome;
    const place = placeOf(name.replace(PURPOSE, ""), snapshot, region);
    if (place === null || troubledForMs === null) return [];
    return [
      {
        target: name,
        ...place,
        standing: standing !== "in" ? standing : slow === null ? "failing" : "slow",
        sinceMs: Math.round(troubledForMs),
        ...(failedAgoMs === null ? {} : { seenAgoMs: Math.round(failedAgoMs) }),
        ejections,
        because: becauseOf(outcome),
      },
    ];
  });
}

function placeOf(
  name: string,
  snapshot: Snapshot | null,
  region: string,
): Pick<Trouble, "region" | "domain"> | null {
  const regions = snapshot?.regions ?? {};
  const targets = own(regions, region)?.targets ?? [];
  if (targets.some((target) => target.name === name)) return { region, domain: "capacity-loss" };
  const other = name.replace(GATEWAY, "");
  const known = GATEWAY.test(name) && own(regions, other) !== undefined;
  return known ? { region: other, domain: "region-outage" } : null;
}

/** A count of failures says that it fails, its newest failure says how. Who is slow need not fail. */
function becauseOf({ slow, ejectedBecause, lastFailure }: TargetOutcomes): string {
  if (slow !== null) return ejectedBecause ?? slow;
  const reasons = [ejectedBecause, lastFailure].filter((reason) => reason !== null);
  const [first = "it failed", second] = reasons;
  return second === undefined || first.includes(second) ? first : `${first} (newest: ${second})`;
}
