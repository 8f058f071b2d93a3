import type { FaultKind } from "../targets/fault.ts";
import type { Attempt, Call, Facts, WholeAnswer } from "./call.ts";
import { refuse, retryAfter } from "./refuse.ts";

/** When to come back, in ms: by then a hold of another request has seen the next snapshot. */
const COME_BACK_MS = 1_000;

export const ALL_BUSY = "all_targets_busy";

/** What a caller is told when nobody answered: who was asked, what happened and how long it took. */
export function nobodyAnswered(call: Call, facts: Partial<Facts>): WholeAnswer {
  const workflow = call.workflow ?? "this request";
  const attempts = facts.attempts ?? [];
  const ending = endingOf(newestOf(attempts));
  const tried = summary(attempts);
  return refuse({
    status: ending.status,
    code: ending.status === 429 ? ALL_BUSY : "no_region_answers",
    message: `No region answers ${workflow} now. Tried: ${tried}. Nothing was answered in part; ${ending.advice}.`,
    headers: {
      ...(ending.waitMs === null ? {} : retryAfter(ending.waitMs)),
      ...(ending.triedAll ? SHOULD_NOT_RETRY : {}),
    },
    facts,
  });
}

/** OpenAI's clients retry any 429 and 5xx by themselves, three times over, unless this says no. */
const SHOULD_NOT_RETRY = { "x-should-retry": "false" };

interface Ending {
  readonly status: number;
  /** Null: waiting alone mends nothing. */
  readonly waitMs: number | null;
  /** Sending it again at once would only try the same ones again. */
  readonly triedAll: boolean;
  readonly advice: string;
}

/** How a request that nobody answered ends, by what each target said last. */
export function endingOf(newest: readonly Attempt[]): Ending {
  const faults = newest.map(({ fault }) => fault).filter((fault) => fault !== undefined);
  const all = (kind: FaultKind): boolean =>
    faults.length > 0 && faults.every((fault) => fault.kind === kind);
  const told = faults.map(({ retryAfterMs }) => retryAfterMs).filter((ms) => ms !== null);
  const unasked = faults.some(({ kind }) => kind === "unasked");
  // Our keys, paths and models: nothing that the caller's waiting could change.
  const waitMs = all("denied") ? null : Math.min(...(told.length > 0 ? told : [COME_BACK_MS]));
  return {
    status: statusOf(all),
    waitMs,
    triedAll: faults.length > 0 && !unasked && told.length === 0,
    advice: waitMs === null ? "its operator must mend this" : "send the request again",
  };
}

function statusOf(all: (kind: FaultKind) => boolean): number {
  if (all("busy")) return 429;
  return all("silent") ? 504 : 503;
}

/** The newest try of each target: what it said earlier in a hold is over. */
function newestOf(attempts: readonly Attempt[]): Attempt[] {
  return [...new Map(attempts.map((attempt) => [placeOf(attempt), attempt])).values()];
}

function placeOf({ region, target }: Attempt): string {
  return region === undefined || target.endsWith(`:${region}`) ? target : `${region}/${target}`;
}

/** Equal attempts in one phrase: a held request makes many. */
function summary(attempts: readonly Attempt[]): string {
  const phrases = new Map<string, { count: number; totalMs: number }>();
  for (const attempt of attempts) {
    const { outcome, tookMs } = attempt;
    const phrase = `${placeOf(attempt)} (${outcome})`;
    const { count, totalMs } = phrases.get(phrase) ?? { count: 0, totalMs: 0 };
    phrases.set(phrase, { count: count + 1, totalMs: totalMs + tookMs });
  }
  const told = [...phrases].map(([phrase, { count, totalMs }]) => {
    const times = count === 1 ? "" : `${count} times, `;
    return `${phrase}, ${times}${Math.round(totalMs)} ms`;
  });
  return told.length === 0 ? "nobody" : told.join("; ");
}
