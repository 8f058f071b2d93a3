import { messageOf } from "../../lib/errors.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Logger } from "../deps.ts";
import { hasCode } from "./errors.ts";
import { isPassing, type LaneTools, runPlan } from "./run-plan.ts";

export interface Lanes {
  /** Sees to it that each of these plans has a lane. Waits for none. */
  ensure(planIds: readonly string[], tools: LaneTools): void;
  running(): readonly string[];
  /** Resolves when no lane runs any more. */
  ended(): Promise<void>;
}

const STORE_PAUSE_MS = 500;
const FAULT_PAUSE_MS = 2_000;

/**
 * One lane a plan, all at once: workflows that fail over together do not queue for each other. A
 * lane is started because an intent names its plan, which is true after a commit, after a crash and
 * in a new term alike; there is no special way to resume.
 */
export function createLanes(options: {
  readonly clock: Clock;
  readonly logger: Logger;
  /** A lane's write was refused: another controller leads. */
  readonly onLeaseLost: (because: string) => void;
}): Lanes {
  const { clock, logger, onLeaseLost } = options;
  const lanes = new Map<string, Promise<void>>();

  async function run(planId: string, tools: LaneTools): Promise<void> {
    while (!tools.halt.aborted) {
      try {
        await runPlan(tools, planId);
        return;
      } catch (error) {
        if (hasCode(error, "LEASE_LOST")) return onLeaseLost(messageOf(error));
        const passing = isPassing(error);
        // A fault in a lane must not end the plan silently, nor spin: it is said, and tried again.
        const say = passing ? logger.warn.bind(logger) : logger.error.bind(logger);
        say({ planId, error: messageOf(error) }, `plan ${planId} waits: ${messageOf(error)}`);
        await clock.sleep(passing ? STORE_PAUSE_MS : FAULT_PAUSE_MS, tools.halt);
      }
    }
  }

  return {
    ensure(planIds, tools) {
      for (const planId of planIds) {
        if (lanes.has(planId)) continue;
        const lane = run(planId, tools).finally(() => lanes.delete(planId));
        lanes.set(planId, lane);
      }
    },
    running: () => [...lanes.keys()],
    async ended() {
      while (lanes.size > 0) await Promise.all(lanes.values());
    },
  };
}
