import type { EstateStatus } from "../api/status.ts";
import type { Plan, PlanState } from "../model/plan.ts";
import type { Outcome, Question } from "./load.ts";
import type { PlanRun } from "./recovery-marks.ts";
import type { Scope } from "./scope.ts";

/** What a drill finds when all is well, for tests that spoil one thing of it. */

export const WORKFLOW = "rag";
const KINDS = ["prove-readiness", "open-traffic", "prove-traffic"] as const;

/** A plan whose steps were proven at 2000, 3000 and 4000. */
export function run(over: {
  readonly plan?: Partial<Plan>;
  readonly kind?: Plan["decision"]["kind"];
  readonly state?: Partial<PlanState>;
}): PlanRun {
  const words = { precondition: "-", effect: "-", proof: "-", undo: "none", deadlineMs: 1_000 };
  const plan: Plan = {
    id: "p1",
    parent: null,
    decision: {
      kind: over.kind ?? "failover",
      workflow: WORKFLOW,
      domain: "region-outage",
      from: ["eu-west"],
      to: ["us-east"],
      because: "eu-west is out",
      refused: [],
    },
    workflow: WORKFLOW,
    epoch: 2,
    release: "sha256:r",
    steps: KINDS.map((kind) => ({ ...words, id: kind, kind, regions: ["us-east"], index: null })),
    createdAt: 1_500,
    ...over.plan,
  };
  const state: PlanState = {
    planId: plan.id,
    status: "completed",
    next: 3,
    steps: KINDS.map((id, index) => ({
      id,
      status: "done",
      startedAt: 1_600 + index * 1_000,
      endedAt: 2_000 + index * 1_000,
      evidence: `${id} holds`,
      attempts: 1,
    })),
    because: "every step is proven",
    ...over.state,
  };
  return { plan, state };
}

/** The same run, with one of its steps changed. */
export function withStep(
  { plan, state }: PlanRun,
  id: (typeof KINDS)[number],
  change: Partial<PlanState["steps"][number]>,
): PlanRun {
  const steps = state.steps.map((step) => (step.id === id ? { ...step, ...change } : step));
  return { plan, state: { ...state, steps } };
}

export const QUESTION: Question = {
  tenant: "acme",
  workflow: WORKFLOW,
  text: "How long?",
  expected: "42 days",
};

export function outcome(over: Partial<Outcome> = {}): Outcome {
  return {
    question: QUESTION,
    streamed: false,
    sentAt: 1_000,
    endedAt: 1_050,
    result: "succeeded",
    detail: "finish_reason stop",
    right: true,
    requestId: "req-1",
    region: "eu-west",
    release: "sha256:r",
    mode: "normal",
    ...over,
  };
}

const NOTHING: EstateStatus = {
  estate: "test",
  leader: "c1",
  snapshot: 1,
  releaseDigest: "sha256:r",
  releaseExpires: null,
  workflows: [],
  regions: [],
  targets: [],
  ownerships: [],
  plans: [],
  recent: [],
};

export const SCOPE: Scope = {
  victim: "eu-west",
  survivor: "us-east",
  workflows: [WORKFLOW],
  before: NOTHING,
};
