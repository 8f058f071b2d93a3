import { parentPort } from "node:worker_threads";
import type { Asked, Told } from "./search-thread.ts";

/** A search thread that answers with no hits, and dies of k = 13 and of k = 14, each in its way. */
parentPort?.on("message", ({ id, query }: Asked) => {
  if (query.k === 13) process.exit(7);
  if (query.k === 14) throw new Error("out of luck");
  const told: Told = { id, hits: [] };
  parentPort?.postMessage(told);
});
