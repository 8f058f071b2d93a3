import { decideIndex } from "../core/decisions/index-owner.ts";
import { indexPlanFor } from "../core/plans/index-plan.ts";
import type { Intent, Ownership } from "../model/intent.ts";
import type { Plan } from "../model/plan.ts";
import { EMPTY_POSITION } from "../model/position.ts";
import type { IndexState } from "../model/signal.ts";
import type { Spec } from "../model/spec.ts";
import type { Verdict } from "../model/verdict.ts";

/**
 * The plan that would give an index another owner if the present one's copy were damaged: by the
 * same decision and the same planner as the controller's. null: no other region may have it.
 */
export function indexRunbookOf(
  spec: Spec,
  state: { readonly ownership: Ownership; readonly intents: readonly Intent[] },
  now: number,
): Plan | null {
  const { ownership, intents } = state;
  const { index } = ownership;
  const regions = Object.keys(spec.regions);
  const decision = decideIndex({
    ownership,
    heldBy: null,
    workflows: intents.flatMap((intent) => {
      const workflow = spec.workflows[intent.workflow];
      if (workflow?.retrieval?.index !== index) return [];
      return [{ name: intent.workflow, spec: workflow, intent: { ...intent, movingBy: null } }];
    }),
    verdicts: regions.flatMap((region) => supposed(region, ownership)),
    copies: regions.map((region) => ({ region, state: wholeCopy(index) })),
    maxLagMs: spec.indexes[index]?.maxLag ?? 0,
    request: { id: "runbook", index, to: null, acceptLoss: false, by: "runbook", at: now },
    drainFailed: false,
    sinceLastMoveMs: null,
    cooldownMs: spec.detection.cooldown,
  });
  if (decision.kind !== "move-index") return null;
  const { detection } = spec;
  const about = { records: 0, id: "would-be", parent: null, now };
  return indexPlanFor({ decision, ownership, detection, ...about });
}

function supposed(region: string, { index, region: owner }: Ownership): Verdict[] {
  const about = { region, because: "supposed by the runbook", witnesses: [], failingForMs: 0 };
  const health = region === owner ? "failed" : "healthy";
  return [
    { ...about, domain: "region-outage", health: "healthy" },
    { ...about, domain: "index-corruption", index, health },
  ];
}

function wholeCopy(index: string): IndexState {
  const position = EMPTY_POSITION;
  const level = { position, ownerPosition: position, lagMs: 0, ownerSeenAgoMs: 0 };
  return { index, ...level, orphans: 0, error: null, standing: { kind: "whole" } };
}
