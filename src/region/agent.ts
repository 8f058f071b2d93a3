import { messageOf } from "../lib/errors.ts";
import { followStore } from "./follow-store.ts";
import { runLoop } from "./loop.ts";
import type { AgentOptions } from "./options.ts";
import { startServer } from "./server.ts";
import { restoreCopy } from "./snapshots/restore.ts";
import { World } from "./world.ts";

export interface Agent {
  readonly url: string;
  /** Ends the loop and the server once what is under way has ended. Closes nothing it was given. */
  close(): Promise<void>;
}

/**
 * Starts a region's agent: it looks, replicates, reports, and answers the controller. Needs neither
 * the store nor any other region to start. Throws PORT_TAKEN.
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const world = new World(options);
  const { logger, region } = options;
  if (options.snapshots !== undefined) {
    world.restore = (local, because) => restoreCopy(world, local, because);
  }
  // Who owns what, before the first question is answered. Its failure is the loop's to report.
  await followStore(world).catch((error: unknown) => {
    logger.warn({}, `the store cannot be read yet: ${messageOf(error)}`);
  });
  const server = await startServer(world);
  const loop = runLoop(world);
  logger.info({ url: server.url }, `the agent of ${region} listens on ${server.url}`);
  return {
    url: server.url,
    close: async () => {
      world.stop.abort();
      await Promise.all([server.close(), loop]);
      await Promise.all([...world.indexes.values()].map(({ restoring }) => restoring.ended()));
    },
  };
}
