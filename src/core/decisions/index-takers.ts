import { formatDuration } from "../../model/units.ts";
import {
  corruptionOf,
  type IndexDecisionInput,
  isAlive,
  outageOf,
  stateOf,
} from "./index-input.ts";
import type { Refusal } from "./words.ts";

/** A region that may take an index over, and what is known to be lost then; null: nothing. */
export interface Taker {
  readonly region: string;
  readonly loss: string | null;
}

interface Terms {
  /** What the owner alone has is fetched before. */
  readonly drained: boolean;
  /** A person has accepted that changes are lost. */
  readonly acceptLoss: boolean;
}

/** Regions that may take it over, the spec's first; and those that may not, with their reasons. */
export function judgeTakers(
  input: IndexDecisionInput,
  terms: Terms,
): { readonly open: readonly Taker[]; readonly refused: readonly Refusal[] } {
  const open: Taker[] = [];
  const refused: Refusal[] = [];
  for (const region of candidatesOf(input)) {
    const loss = terms.drained ? NO_LOSS : lossOf(input, region);
    const why = objectionTo(input, region) ?? lossObjection(loss, terms);
    if (why === null) open.push({ region, loss: loss.word });
    else refused.push({ alternative: `move to ${region}`, why });
  }
  return { open, refused };
}

/** Who a workflow of this index may be served from may hold its documents; others need not. */
function candidatesOf({ workflows, ownership, copies }: IndexDecisionInput): string[] {
  const named = workflows.flatMap(({ spec, intent }) => [
    spec.primary,
    ...spec.standbys,
    ...intent.serving,
  ]);
  const held = copies.map(({ region }) => region);
  const all = workflows.length === 0 ? held : named;
  return [...new Set(all)].filter((region) => region !== ownership.region && held.includes(region));
}

/** Why this copy must not be written from; null when nothing is known against it. */
function objectionTo(input: IndexDecisionInput, region: string): string | null {
  const outage = outageOf(input, region);
  if (!isAlive(outage?.health)) {
    return `${region} is ${outage?.health ?? "unknown"}: ${outage?.because ?? "nobody has judged it yet"}`;
  }
  const corruption = corruptionOf(input, region);
  if (corruption?.health !== "healthy") {
    return corruption?.because ?? `nobody has judged ${region}'s copy yet`;
  }
  const kind = stateOf(input, region)?.standing?.kind;
  return kind === "whole"
    ? null
    : `${region}'s copy is not known to be whole (${kind ?? "unknown"})`;
}

interface Loss {
  readonly word: string | null;
  readonly allowed: boolean;
}

const NO_LOSS: Loss = { word: null, allowed: true };

/** What the copy misses of all that the owner was ever known to have. */
function lossOf(input: IndexDecisionInput, region: string): Loss {
  const own = stateOf(input, region);
  const known = lastKnownSeq(input);
  if (own === undefined || known === null) {
    return { word: "and nobody knows how much is lost", allowed: false };
  }
  const behind = known - own.position.seq;
  if (behind <= 0) return NO_LOSS;
  const objective = objectiveMs(input);
  const word = `and at least ${behind} changes that the owner was known to have are lost, of ${formatDuration(own.lagMs)} (${formatDuration(objective)} may be)`;
  return { word, allowed: own.lagMs <= objective };
}

/** The owner's newest seq that anybody reported: itself, or a replica that asked it. */
function lastKnownSeq({ copies, ownership }: IndexDecisionInput): number | null {
  const known = copies.flatMap(({ region, state }) => {
    const of = region === ownership.region ? state.position : state.ownerPosition;
    return of === null || state.readable === false ? [] : [of.seq];
  });
  return known.length === 0 ? null : Math.max(...known);
}

/** The least that any workflow of this index may lose. */
function objectiveMs({ workflows, maxLagMs }: IndexDecisionInput): number {
  return workflows.length === 0 ? maxLagMs : Math.min(...workflows.map(({ spec }) => spec.rpo));
}

function lossObjection({ word, allowed }: Loss, { acceptLoss }: Terms): string | null {
  if (allowed || acceptLoss) return null;
  return `the owner cannot be asked for its last changes, ${word}: a person may accept that (\`tideover index move --accept-loss\`)`;
}
