import type { GoldenQuestion, GoldenSet } from "../model/golden.ts";
import type { WorkflowName } from "../model/ids.ts";
import type { WorkflowSpec } from "../model/spec.ts";
import { eachLimited } from "./each-limited.ts";
import { isIndexEmpty, noteAnswer } from "./readiness/golden-answer.ts";
import { observeAnswer } from "./readiness/observe-answer.ts";
import type { Part } from "./ticker.ts";
import { trialQuestions } from "./trial-questions.ts";
import type { World } from "./world.ts";

const EVERY_MS = 500;
/** In one round, and of those at one time: a new release must be known soon, callers come first. */
const A_ROUND = 40;
const AT_ONCE = 4;
const ASK_MS = 5_000;

/**
 * Asks each release that this region gets the same golden questions, through its own data path,
 * whoever serves: once, at once, and no more. The readiness check would need minutes for as many.
 */
export function goldenParts(world: World): Part[] {
  const { spec, region, golden } = world.options;
  return Object.entries(spec.workflows).flatMap(([workflow, workflowSpec]) => {
    const set = golden.get(workflow);
    const { primary, standbys } = workflowSpec;
    if (set === undefined || ![primary, ...standbys].includes(region)) return [];
    const name = `golden questions of ${workflow}`;
    return [{ name, everyMs: EVERY_MS, work: () => round(world, workflow, workflowSpec, set) }];
  });
}

async function round(
  world: World,
  workflow: WorkflowName,
  spec: WorkflowSpec,
  set: GoldenSet,
): Promise<void> {
  const release = world.gateway?.release;
  if (release === undefined || (await isIndexEmpty(world, spec))) return;
  const questions = trialQuestions(world, set);
  const now = world.options.clock.monotonic();
  const ids = questions.map(({ id }) => id);
  const due = world.goldenBook.due(workflow, release, ids, now).slice(0, A_ROUND);
  const asked = questions.filter(({ id }) => due.includes(id));
  await eachLimited(asked, AT_ONCE, (question) => askOne(world, workflow, spec, question));
}

async function askOne(
  world: World,
  workflow: WorkflowName,
  spec: WorkflowSpec,
  question: GoldenQuestion,
): Promise<void> {
  const answer = await observeAnswer(
    { world, workflow, askMs: ASK_MS },
    question.tenant,
    question.question,
  );
  noteAnswer(world, workflow, spec, { ...answer, question });
}
