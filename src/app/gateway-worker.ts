import { randomUUID } from "node:crypto";
import { parentPort, workerData } from "node:worker_threads";
import { createSystemClock } from "../adapters/clock-system/clock.ts";
import { runWorker } from "../gateway/workers/worker.ts";
import type { WorkerParts } from "./gateway.ts";
import { openIndexFiles } from "./indexes.ts";
import { createLogger } from "./logger.ts";

/**
 * The entry of one worker thread of a gateway (`gateway.ts` starts it). It reads no spec: a worker
 * that is started anew must not believe in a newer file than the others.
 */
const { start, parts }: WorkerParts = workerData;
if (parentPort !== null) {
  const { region, logLevel, estateToken, peers } = parts;
  await runWorker(parentPort, start, {
    region,
    indexes: await openIndexFiles(parts.indexes, { readOnly: true }),
    clock: createSystemClock(),
    logger: createLogger(`gateway:${region}`, logLevel).child({ worker: start.seat }),
    keys: (name) => process.env[name],
    requestId: randomUUID,
    ...(estateToken === null ? {} : { estateToken }),
    peers,
  });
}
