import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ErrorCode, TideoverError } from "../lib/errors.ts";
import type { ChildMessage } from "./child.ts";

/** One role of an estate as an operating-system process. */
export interface ProcessPlan {
  /** `gateway:eu-west`, `controller:127.0.0.1:7100`. */
  readonly name: string;
  /** null for what stands outside every region. */
  readonly region: string | null;
  readonly address: string;
  /** Arguments of the `tideover` command. */
  readonly args: readonly string[];
  readonly log: string;
}

export interface RunningProcess {
  readonly plan: ProcessPlan;
  readonly pid: number;
  /** Settles when it serves, or rejects with the reason that it gave. */
  readonly ready: Promise<void>;
  /** Resolves when the operating system has ended it: `exit 0`, `SIGKILL`. */
  readonly ended: Promise<string>;
  kill(signal: NodeJS.Signals): void;
}

/**
 * How a gateway's memory is laid out. What is new has its full size from the start: V8 lets it grow
 * to that under load, and shrink again as it likes; then each new stream seems to take 70 KiB and
 * more, most of it empty, and a leak is not seen beneath the ups and downs. Half the size would cost
 * each request twice as many collections.
 *
 * What is old may double before all of it is looked through. Left alone, V8 does that for each 6 MiB
 * more, and again after each pause in the traffic: every 8 s at 5,000 requests/s, with up to four
 * threads beside the one that answers. Where those have one core between them, that is 50 ms in which
 * requests pile up, and the 99th percentile of all of them.
 *
 * `bin/tideover.mjs` starts Node with the same.
 */
export const GATEWAY_FLAGS: readonly string[] = [
  "--min-semi-space-size=32",
  "--max-semi-space-size=32",
  "--heap-growing-percent=100",
  "--no-memory-reducer",
  "--concurrent-marking-max-worker-num=1",
];

const MAIN = join(dirname(fileURLToPath(import.meta.url)), "..", "cli", "main.ts");

export function startProcess(plan: ProcessPlan): RunningProcess {
  mkdirSync(dirname(plan.log), { recursive: true });
  const log = openSync(plan.log, "a", 0o600);
  const flags = plan.args[0] === "gateway" ? GATEWAY_FLAGS : [];
  const child = spawn(process.execPath, [...flags, MAIN, ...plan.args], {
    stdio: ["ignore", log, log, "ipc"],
  });
  closeSync(log);
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ?? `exit ${code}`));
  });
  const ready = whenReady(plan, child, ended);
  // Whoever stops the estate while it starts never looks at `ready`: that is no unhandled error.
  ready.catch(() => undefined);
  return { plan, pid: child.pid ?? 0, ready, ended, kill: (signal) => void child.kill(signal) };
}

function whenReady(plan: ProcessPlan, child: ChildProcess, ended: Promise<string>): Promise<void> {
  return new Promise((resolve, reject) => {
    child.on("message", (message) => {
      const told = message as ChildMessage;
      if (told.type === "ready") resolve();
      else reject(failure(plan, told));
    });
    child.once("error", (error) => reject(error));
    void ended.then((how) =>
      reject(
        new TideoverError(`${plan.name} ended (${how}) before it was ready`, {
          code: "ESTATE_NOT_UP",
          next: `Its log says why: ${plan.log}`,
        }),
      ),
    );
  });
}

function failure(
  plan: ProcessPlan,
  told: Extract<ChildMessage, { type: "failed" }>,
): TideoverError {
  return new TideoverError(`${plan.name}: ${told.message}`, {
    code: told.code === "UNEXPECTED" ? "ESTATE_NOT_UP" : (told.code as ErrorCode),
    next: told.next ?? `Its log says more: ${plan.log}`,
  });
}
