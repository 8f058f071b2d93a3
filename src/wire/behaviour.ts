import { fieldsList, fieldsOf, numberOr, textOr } from "./fields.ts";
import type { ChatMessage } from "./openai.ts";

/**
 * Telling which weights really answer, and how they are stored, by more than their words: the
 * log-probabilities of the first tokens of some short answers. Another model, another fine-tuning or
 * another quantization moves them; another machine moves them as well, but by far less. So a good copy
 * is recorded at release time, with the tolerance that its own repetitions showed to be needed, and
 * every other copy is compared with that.
 */

/** Short, unlike each other, and with answers that are not all certain: a certain token tells little. */
export const BEHAVIOUR_QUESTIONS: readonly string[] = [
  "Name three things that float on water.",
  "Continue the series: 2, 3, 5, 7, 11,",
  "Translate into German: The harbour is closed in winter.",
  "What is 17 times 23? Answer with the number only.",
  "Write one line of JSON with the keys name and age.",
  "Which is heavier, a feather or a stone, and why?",
];

/** Of each answer; the first tokens say enough, and every further one costs. */
export const BEHAVIOUR_TOKENS = 12;
const ALTERNATIVES = 5;
const SEED = 7;

/** One token: what was said, and the log-probabilities of the likeliest, that one among them. */
export interface BehaviourToken {
  readonly token: string;
  readonly top: Readonly<Record<string, number>>;
}

export interface BehaviourAnswer {
  readonly ask: string;
  readonly tokens: readonly BehaviourToken[];
}

/** What a good copy does. */
export interface Behaviour {
  /** Most that the log-probabilities may differ, on average over all that is compared. */
  readonly tolerance: number;
  readonly answers: readonly BehaviourAnswer[];
}

/** The body of one question's request. Greedy and seeded, so that nothing but the model decides. */
export function behaviourRequest(model: string, ask: string) {
  const messages: readonly ChatMessage[] = [{ role: "user", content: ask }];
  return {
    model,
    messages,
    temperature: 0,
    seed: SEED,
    max_tokens: BEHAVIOUR_TOKENS,
    logprobs: true,
    top_logprobs: ALTERNATIVES,
  };
}

/** The tokens of an answer; empty when the server tells no log-probabilities. */
export function readBehaviour(body: unknown): BehaviourToken[] {
  const [choice] = fieldsList(fieldsOf(body).choices);
  return fieldsList(fieldsOf(choice?.logprobs).content).map((entry) => {
    const said = textOr(entry.token);
    const alternatives = fieldsList(entry.top_logprobs);
    const top = [entry, ...alternatives].map(
      (one) => [textOr(one.token), rounded(numberOr(one.logprob, FLOOR))] as const,
    );
    return { token: said, top: Object.fromEntries(top) };
  });
}

/** Below this all are equally unlikely; servers say -9999 or -Infinity for "not at all". */
const FLOOR = -20;

function rounded(logprob: number): number {
  return Math.round(Math.max(FLOOR, logprob) * 10_000) / 10_000;
}

export interface BehaviourDifference {
  /** Mean absolute difference of the log-probabilities; null when nothing could be compared. */
  readonly distance: number | null;
  /** Tokens compared. */
  readonly compared: number;
  /** Questions whose answers went apart although the recorded copy was not in two minds. */
  readonly apart: readonly {
    readonly ask: string;
    readonly said: string;
    readonly recorded: string;
  }[];
  /** Questions that were answered without log-probabilities. */
  readonly silent: number;
}

/**
 * How far an answer is from the recorded one. Compared is as long as both said the same. Where they
 * part, it tells a different model only if the recorded one was sure: between two tokens that were
 * nearly equally likely the last bit decides, and that bit belongs to the machine.
 */
export function compareBehaviour(
  recorded: Behaviour,
  observed: ReadonlyMap<string, readonly BehaviourToken[]>,
): BehaviourDifference {
  const differences: number[] = [];
  const apart: { ask: string; said: string; recorded: string }[] = [];
  let silent = 0;
  for (const { ask, tokens } of recorded.answers) {
    const said = observed.get(ask) ?? [];
    if (said.length === 0) silent += 1;
    for (const [at, wanted] of tokens.entries()) {
      const found = said[at];
      if (found === undefined) break;
      differences.push(...differencesAt(wanted, found));
      if (found.token === wanted.token) continue;
      if (leadOver(wanted, found.token) > NEARLY_EQUAL * recorded.tolerance) {
        apart.push({ ask, said: found.token, recorded: wanted.token });
      }
      break;
    }
  }
  const sum = differences.reduce((total, one) => total + one, 0);
  const distance = differences.length === 0 ? null : sum / differences.length;
  return { distance, compared: differences.length, apart, silent };
}

/** Two tokens within so many tolerances of each other may change places on another machine. */
const NEARLY_EQUAL = 4;

/** Of the tokens that both name; when they name none in common, the whole way down to the floor. */
function differencesAt(wanted: BehaviourToken, found: BehaviourToken): number[] {
  const common = Object.entries(wanted.top).flatMap(([token, logprob]) => {
    const other = Object.hasOwn(found.top, token) ? found.top[token] : undefined;
    return other === undefined ? [] : [Math.abs(logprob - other)];
  });
  return common.length === 0 ? [-FLOOR] : common;
}

function leadOver(wanted: BehaviourToken, other: string): number {
  const own = wanted.top[wanted.token] ?? 0;
  const others = Object.hasOwn(wanted.top, other) ? wanted.top[other] : undefined;
  return own - (others ?? FLOOR);
}

/** Least tolerance: what kernels and batch sizes of one GPU family do to the same weights. */
const LEAST_TOLERANCE = 0.02;
/** Above the difference that was seen between copies that are all good. */
const MARGIN = 3;

/**
 * A recording out of several runs, of one good copy or of several: the first is kept, and the
 * tolerance is what the others need. Null when the server tells no log-probabilities.
 */
export function recordBehaviour(
  runs: readonly ReadonlyMap<string, readonly BehaviourToken[]>[],
): Behaviour | null {
  const [first, ...others] = runs;
  if (first === undefined) return null;
  const answers = [...first].map(([ask, tokens]) => ({ ask, tokens }));
  if (answers.every(({ tokens }) => tokens.length === 0)) return null;
  const base = { tolerance: LEAST_TOLERANCE, answers };
  const seen = others.map((run) => compareBehaviour(base, run).distance ?? 0);
  const tolerance = Math.max(LEAST_TOLERANCE, MARGIN * Math.max(0, ...seen));
  return { tolerance: Math.round(tolerance * 10_000) / 10_000, answers };
}
