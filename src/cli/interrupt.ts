import { TideoverError } from "../lib/errors.ts";
import { progress } from "./output.ts";

/**
 * Runs something that Ctrl-C may end at any moment, in an orderly way: the first signal aborts, so
 * that what was started is stopped; a second one, from a person who is past waiting, ends at once.
 */
export async function interruptible(run: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  let signals = 0;
  const onSignal = (): void => {
    signals += 1;
    if (signals > 1) process.exit(130);
    progress("\ntideover: stopping (once more: at once)");
    controller.abort(new TideoverError("interrupted", { code: "INTERRUPTED" }));
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, onSignal);
  try {
    await run(controller.signal);
  } finally {
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(name, onSignal);
  }
  if (controller.signal.aborted) process.exitCode = 130;
}
