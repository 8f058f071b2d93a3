import { DEFAULT_CANARY } from "../model/canary.ts";
import type { GoldenQuestion, GoldenSet } from "../model/golden.ts";
import type { World } from "./world.ts";

/** Questions that a release is known by, unless its evaluation wants more. */
const QUESTIONS = 40;

/** Evenly spread over the whole set, and always the same ones: two releases must be comparable. */
export function trialQuestions(
  { options, release }: Pick<World, "options" | "release">,
  set: GoldenSet,
): GoldenQuestion[] {
  const askable = set.questions.filter(({ tenant }) => options.canaryKeys.has(tenant));
  const wanted = release?.body.evaluation?.canary?.questions ?? DEFAULT_CANARY.questions;
  const count = Math.min(askable.length, Math.max(QUESTIONS, wanted));
  return Array.from(
    { length: count },
    (_, at) => askable[Math.floor((at * askable.length) / count)],
  ).flatMap((question) => question ?? []);
}
