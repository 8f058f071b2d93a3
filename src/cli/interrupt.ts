import { TideoverError } from "../lib/errors.ts";
import { EXIT } from "./exit-codes.ts";
import { progress } from "./output.ts";

/**
 * One Ctrl-C often arrives twice: from the terminal, which signals its whole process group, and from
 * a parent (bin/tideover.mjs, npm, timeout) that passes its own on. Signals this close are one.
 */
const SAME_PRESS_MS = 500;

/**
 * Runs something that Ctrl-C may end at any moment, in an orderly way: the first signal aborts, so
 * that what was started is stopped; a second one, from a person who is past waiting, ends at once.
 */
export async function interruptible(run: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  let firstAt: number | null = null;
  const onSignal = (): void => {
    if (firstAt !== null && performance.now() - firstAt < SAME_PRESS_MS) return;
    if (firstAt !== null) process.exit(EXIT.interrupted);
    firstAt = performance.now();
    progress("\ntideover: stopping (once more: at once)");
    controller.abort(new TideoverError("interrupted", { code: "INTERRUPTED" }));
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, onSignal);
  try {
    await run(controller.signal);
  } catch (error) {
    // A Ctrl-C also ends processes that were still starting: that they "ended too early" is its
    // consequence, and no news to whoever pressed it.
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(name, onSignal);
  }
  if (controller.signal.aborted) process.exitCode = EXIT.interrupted;
}
