import { INTENT, verdict, workflowWith } from "../../../test/support/core-values.ts";
import type { Readiness } from "../../model/readiness.ts";
import type { OperatorRequest } from "../../model/request.ts";
import type { Health } from "../../model/verdict.ts";
import type { DecisionInput } from "./input.ts";

/** Inputs of decisions, for the specification by example and for the properties. */

export const PERSON = { by: "person", who: "the duty manager", signals: ["region-outage"] };

export function readiness(region: string, ready: boolean): Readiness {
  const because = ready ? "all checks passed" : "index handbook lags 12.0 s";
  return { region, workflow: "support", ready, because, at: 0, checks: [] };
}

export function request(kind: OperatorRequest["kind"], to: string | null = null): OperatorRequest {
  return { id: "r1", kind, workflow: "support", to, by: "alice", at: 0 };
}

export function input(over: Partial<DecisionInput> = {}): DecisionInput {
  return {
    workflow: "support",
    spec: workflowWith(),
    intent: INTENT,
    verdicts: healths("healthy", "healthy"),
    readiness: [],
    request: null,
    sinceLastMoveMs: null,
    cooldownMs: 30_000,
    unsettledDependencies: [],
    ...over,
  };
}

export function healths(euWest: Health, usEast: Health, apSouth?: Health) {
  const third = apSouth === undefined ? [] : [verdict("ap-south", apSouth)];
  return [verdict("eu-west", euWest), verdict("us-east", usEast), ...third];
}
