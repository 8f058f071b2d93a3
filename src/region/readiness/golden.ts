import { eachLimited } from "../each-limited.ts";
import { trialQuestions } from "../trial-questions.ts";
import { type Judgement, needsIndex, type ReadinessCheck, WITHOUT_RETRIEVAL } from "./check.ts";
import { faultOf, isIndexEmpty, noteAnswer, type ObservedAnswer } from "./golden-answer.ts";
import { observeAnswer } from "./observe-answer.ts";

/** Asked at once: a proof in the middle of an outage must not be the load that topples the standby. */
const AT_ONCE = 4;

/** Questions with known answers are answered right, from the right documents. */
export const goldenCheck: ReadinessCheck = {
  name: "golden",
  restMs: 30_000,
  applies: ({ spec, golden }) => spec.golden !== undefined && golden !== null,
  required: () => true,
  async check(context) {
    const { spec, golden, world, workflow, turn } = context;
    const { sample = 0, minimum = 1 } = spec.golden ?? {};
    const askable = (golden?.questions ?? []).filter(({ tenant }) =>
      world.options.canaryKeys.has(tenant),
    );
    const questions = sampleOf(askable, sample, turn);
    const empty = await isIndexEmpty(world, spec);
    const observed = await eachLimited(questions, AT_ONCE, async (question) => ({
      question,
      ...(await observeAnswer(context, question.tenant, question.question)),
    }));
    const retrieval = spec.retrieval !== undefined;
    const known = golden === null || empty ? [] : trialQuestions(world, golden).map(({ id }) => id);
    for (const answer of observed.filter(({ question }) => known.includes(question.id)))
      noteAnswer(world, workflow, spec, answer);
    return judgeGolden(
      { minimum, retrieval, canDegrade: retrieval && !needsIndex(spec) },
      observed,
    );
  },
};

/** The `turn`-th sample: over the turns each question comes up equally often. */
export function sampleOf<T>(all: readonly T[], size: number, turn: number): T[] {
  const count = Math.min(size, all.length);
  const start = all.length === 0 ? 0 : (turn * count) % all.length;
  return [...all, ...all].slice(start, start + count);
}

export interface ExpectedGolden {
  /** Least share of right answers, 0 to 1. */
  readonly minimum: number;
  /** false: the workflow has no index, so sources are not looked at. */
  readonly retrieval: boolean;
  /** true: answers without the index are a mode that the workflow allows. */
  readonly canDegrade: boolean;
}

export function judgeGolden(
  expected: ExpectedGolden,
  observed: readonly ObservedAnswer[],
): Judgement {
  if (observed.length === 0) {
    return {
      pass: false,
      evidence: "no golden question could be asked: their tenants have no canary keys",
    };
  }
  const wrong = observed.flatMap((answer) => {
    const fault = faultOf(expected, answer);
    return fault === null ? [] : [{ answer, fault: `${answer.question.id}: ${fault}` }];
  });
  const right = observed.length - wrong.length;
  const pass = right / observed.length >= expected.minimum;
  const share = `${Math.round(expected.minimum * 100)} % is wanted`;
  const [first] = wrong;
  const evidence = `${right} of ${observed.length} golden questions are answered right (${share})${first === undefined ? "" : `; ${first.fault}`}`;
  // Without its index the workflow cannot know; that is then the index check's to say, as optional.
  const degraded = wrong.every(({ answer }) => answer.mode === WITHOUT_RETRIEVAL);
  return expected.canDegrade && !pass && degraded
    ? { pass, evidence, required: false }
    : { pass, evidence };
}
