import { messageOf } from "../lib/errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { AgentLogger } from "./options.ts";

/** One part of the loop: done again and again, never beside itself. */
export interface Part {
  readonly name: string;
  readonly everyMs: number;
  readonly work: () => Promise<void>;
}

export interface TickerOptions {
  readonly clock: Clock;
  readonly logger: AgentLogger;
  readonly signal: AbortSignal;
}

/**
 * Runs a part until the signal aborts. Each part has a ticker of its own, so that one which hangs
 * or throws delays nobody: an agent whose pull is slow must go on reporting what it sees.
 */
export async function runEvery(part: Part, options: TickerOptions): Promise<void> {
  const { clock, signal } = options;
  let due = clock.monotonic();
  let problem: string | null = null;
  while (!signal.aborted) {
    problem = await turn(part, problem, options.logger);
    due = nextDue(due, part.everyMs, clock.monotonic());
    await clock.sleep(due - clock.monotonic(), signal);
  }
}

/**
 * The next due time on the grid that the first turn began, always after `now`. Turns that a slow
 * one ate are left out: making them up would be a burst of probes at the worst moment.
 */
export function nextDue(due: number, everyMs: number, now: number): number {
  const missed = Math.max(0, Math.floor((now - due) / everyMs));
  return due + (missed + 1) * everyMs;
}

/** Gives the turn's problem. Told when it begins, changes or ends: twice a second would bury it. */
async function turn(part: Part, before: string | null, logger: AgentLogger) {
  let problem: string | null = null;
  try {
    await part.work();
  } catch (error) {
    problem = messageOf(error);
  }
  if (problem !== null && problem !== before) {
    logger.warn({ part: part.name, problem }, `${part.name}: ${problem}`);
  }
  if (problem === null && before !== null) {
    logger.info({ part: part.name }, `${part.name}: works again`);
  }
  return problem;
}
