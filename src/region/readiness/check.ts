import type { GoldenSet } from "../../model/golden.ts";
import type { WorkflowName } from "../../model/ids.ts";
import type { WorkflowSpec } from "../../model/spec.ts";
import type { ChatAnswer } from "../ask-gateway.ts";
import type { CanaryQuestion } from "../canary.ts";
import type { World } from "../world.ts";

/** What a check found. `required` overrides the check's own: a leak is never optional. */
export interface Judgement {
  readonly pass: boolean;
  /** A sentence with the figures: what was expected, what was found. */
  readonly evidence: string;
  readonly required?: boolean;
}

/** The canary that several checks look at from their own side, asked once a run. */
export interface AskedCanary {
  readonly question: CanaryQuestion;
  readonly answer: ChatAnswer;
}

/** One run of a workflow's checks. */
export interface CheckContext {
  readonly world: World;
  readonly workflow: WorkflowName;
  readonly spec: WorkflowSpec;
  readonly golden: GoldenSet | null;
  /** A replica must be level with its owner, not just fresh. */
  readonly exactIndex: boolean;
  /** true: a plan rests on the result, so everything is asked. false: a modest sample. */
  readonly thorough: boolean;
  /** Counts the runs, so that samples move on. */
  readonly turn: number;
  /** For one question to anybody. */
  readonly askMs: number;
  /** null when no tenant's key is at hand. */
  readonly canary: () => Promise<AskedCanary | null>;
}

/** One thing that must be true of a region before it serves: asks, then judges purely. */
export interface ReadinessCheck {
  readonly name: string;
  /** How long a pass may stand in for asking again when no plan asks, in ms: canaries cost money. */
  readonly restMs: number;
  applies(context: CheckContext): boolean;
  /** false: the workflow can do without what is checked. */
  required(spec: WorkflowSpec): boolean;
  check(context: CheckContext): Promise<Judgement>;
}

/** Whether the workflow is of use only with its index. */
export function needsIndex({ retrieval, optional }: WorkflowSpec): boolean {
  return retrieval?.required === true && !optional.includes("index");
}

export const NO_KEY: Judgement = {
  pass: false,
  evidence: "nothing could be asked: there is no canary key for any tenant",
};

/** The mode of an answer that was made without the index. */
export const WITHOUT_RETRIEVAL = "no-retrieval";
