import type { GoldenSet } from "../model/golden.ts";
import type { Spec } from "../model/spec.ts";
import type { Question } from "./load.ts";

/**
 * What callers ask in a drill: golden questions, whose right answers are known, for the workflows
 * that have them; plain text for the others, one question a tenant. Workflows take turns, so that a
 * short load touches all of them.
 */
export function questionsOf(spec: Spec, golden: ReadonlyMap<string, GoldenSet>): Question[] {
  const perWorkflow = Object.keys(spec.workflows).map((workflow) => {
    const set = golden.get(workflow);
    return set
      ? goldenQuestions(workflow, set)
      : plainQuestions(workflow, Object.keys(spec.tenants));
  });
  const longest = Math.max(0, ...perWorkflow.map(({ length }) => length));
  return Array.from({ length: longest }, (_, turn) =>
    perWorkflow.flatMap((questions) => questions[turn % questions.length] ?? []),
  ).flat();
}

function goldenQuestions(workflow: string, { questions }: GoldenSet): Question[] {
  return questions.map(({ tenant, question, answer }) => ({
    tenant,
    workflow,
    text: question,
    expected: answer,
  }));
}

function plainQuestions(workflow: string, tenants: readonly string[]): Question[] {
  return tenants.map((tenant) => ({
    tenant,
    workflow,
    text: "Please summarise what follows. The depot opens at six and closes at ten. Trucks that come later wait until the morning shift begins.",
    expected: null,
  }));
}
