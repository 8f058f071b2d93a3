import { DETECTION, INTENT, OWNERSHIP, workflowWith } from "../../../test/support/core-values.ts";
import type { Decision, DecisionKind } from "../../model/decision.ts";
import type { PlanInput } from "./input.ts";

/** Inputs of the planner, for its own tests and for those of the lint. */

export function decision(kind: DecisionKind, from: string[], to: string[]): Decision {
  const because = "a test says so";
  return { kind, workflow: "support", domain: null, from, to, because, refused: [] };
}

export function inputWith(over: Partial<PlanInput> & Pick<PlanInput, "decision">): PlanInput {
  return {
    intent: INTENT,
    spec: workflowWith({ standbys: ["us-east", "ap-south"] }),
    detection: DETECTION,
    ownerships: [OWNERSHIP],
    release: "sha256:abc",
    id: "p1",
    parent: null,
    now: 1_000,
    ...over,
  };
}
