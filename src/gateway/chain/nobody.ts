import type { Attempt, Call, Facts, WholeAnswer } from "./call.ts";
import { refuse, retryAfter } from "./refuse.ts";

/** When to come back, in ms: by then a hold of another request has seen the next snapshot. */
const COME_BACK_MS = 1_000;

/** What a caller is told when nobody answered: who was asked, what happened and how long it took. */
export function nobodyAnswered(call: Call, facts: Partial<Facts>): WholeAnswer {
  const workflow = call.request?.model ?? "this request";
  const tried = summary(facts.attempts ?? []);
  return refuse({
    status: 503,
    code: "no_region_answers",
    message: `No region answers ${workflow} now. Tried: ${tried}. Nothing was answered in part; send the request again.`,
    headers: retryAfter(COME_BACK_MS),
    facts,
  });
}

/** Equal attempts in one phrase: a held request makes many. */
function summary(attempts: readonly Attempt[]): string {
  const phrases = new Map<string, { count: number; totalMs: number }>();
  for (const { target, outcome, tookMs } of attempts) {
    const phrase = `${target} (${outcome})`;
    const { count, totalMs } = phrases.get(phrase) ?? { count: 0, totalMs: 0 };
    phrases.set(phrase, { count: count + 1, totalMs: totalMs + tookMs });
  }
  const told = [...phrases].map(([phrase, { count, totalMs }]) => {
    const times = count === 1 ? "" : `${count} times, `;
    return `${phrase}, ${times}${Math.round(totalMs)} ms`;
  });
  return told.length === 0 ? "nobody" : told.join("; ");
}
