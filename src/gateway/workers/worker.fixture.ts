import { randomUUID } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { pino } from "pino";
import { ESTATE_TOKEN } from "../../../test/support/gateway-world.ts";
import { createSystemClock } from "../../adapters/clock-system/clock.ts";
import type { WorkerStart } from "./questions.ts";
import { runWorker } from "./worker.ts";

/** A worker of the crew's tests: its requests' ids say which it is, and it fails when it is told to. */
const { start }: { readonly start: WorkerStart } = workerData;

type Order = "throw" | "reject" | "exhaust" | "stall";

const orders: Readonly<Record<Order, () => void>> = {
  throw: () => {
    throw new Error("a bug in a worker");
  },
  reject: () => void Promise.reject(new Error("a promise that nobody minds")),
  exhaust: () => {
    for (const hoard: unknown[] = []; ; ) hoard.push(Array.from({ length: 10_000 }, () => ({})));
  },
  // Until the test wakes it, or for longer than any test waits.
  stall: () => void Atomics.wait(new Int32Array(start.shared.retries), 0, 0, 60_000),
};

parentPort?.on("message", ({ order }: { readonly order?: Order }) => {
  if (order !== undefined) orders[order]();
});

if (parentPort !== null) {
  await runWorker(parentPort, start, {
    region: "eu-west",
    indexes: new Map(),
    clock: createSystemClock(),
    logger: pino({ level: "silent" }),
    keys: () => undefined,
    requestId: () => `w${start.seat}-${randomUUID()}`,
    estateToken: ESTATE_TOKEN,
    timeouts: { drainMs: 2_000, peerMs: 500, holdMs: 10_000 },
  });
}
