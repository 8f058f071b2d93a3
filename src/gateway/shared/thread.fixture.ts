import { parentPort, workerData } from "node:worker_threads";
import { handClock } from "../../../test/support/gateway-world.ts";
import { Health } from "../targets/health.ts";
import { SharedBudget } from "./budget.ts";
import { SharedEntries } from "./entries.ts";
import { SharedLimits } from "./limits.ts";
import { locked } from "./lock.ts";
import type { SharedMemory } from "./memory.ts";

/** One of several threads at one memory: says that it is ready, starts with the others, tells what it got. */
interface Task {
  readonly what: "limits" | "retries" | "failures" | "trial" | "hold";
  readonly me: number;
  readonly times: number;
  readonly gate: SharedArrayBuffer;
  readonly shared: SharedMemory;
}

const { what, me, times, gate, shared }: Task = workerData;
// A clock that stands: nothing is refilled while they run.
const clock = handClock();
const entries = new SharedEntries(shared.targets, me, () => clock.monotonic());
const health = new Health(clock, () => 0, entries);

const tasks: Readonly<Record<Task["what"], () => number>> = {
  limits: () => {
    const limits = new SharedLimits(shared.limits, clock);
    return counted((n) => limits.take(`tenant-${n % 7}`, 2_000, 1).ok);
  },
  retries: () => {
    const budget = new SharedBudget(shared.retries, me, clock);
    return counted(() => {
      budget.earned();
      return budget.take(0.5);
    });
  },
  failures: () =>
    counted((n) => {
      health.failed({ name: `target-${n % 3}`, trial: false }, `failure ${n} of ${me}`);
      return true;
    }),
  trial: () => {
    clock.forward(1_000);
    return counted(() => health.claim("target-0", false) !== null);
  },
  // Ended in the middle of everything: it never gives its lock and its trial back.
  hold: () => {
    clock.forward(1_000);
    const words = new Int32Array(shared.retries, 0, 1);
    locked(words, 0, me, () => {
      entries.change("target-0", () => {
        health.claim("target-1", false);
        parentPort?.postMessage(1);
        Atomics.wait(new Int32Array(gate), 0, 1);
      });
    });
    return 0;
  },
};

parentPort?.postMessage("ready");
Atomics.wait(new Int32Array(gate), 0, 0);
parentPort?.postMessage(tasks[what]());

function counted(once: (n: number) => boolean): number {
  let count = 0;
  for (let n = 0; n < times; n++) count += once(n) ? 1 : 0;
  return count;
}
