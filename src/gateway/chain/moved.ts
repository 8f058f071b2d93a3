import type { Tools } from "../options.ts";
import type { Call } from "./call.ts";
import { movedAway } from "./hold.ts";

interface Watch {
  /** Something of the answer came. */
  readonly heard: () => void;
  readonly end: () => void;
}

/**
 * Stops a stream when a newer snapshot takes its workflow to other regions and nothing more comes
 * of it for a short while. A region that is stopped, or cut off, keeps its connections open: known
 * to be out, it would be waited for as long as a slow one. A region that was only relieved says
 * its answer to the end.
 */
export function leaveWhenMoved(tools: Tools, call: Call, stop: AbortController): Watch {
  const { snapshots, clock, timeouts } = tools;
  const over = new AbortController();
  const begunUnder = { ...call, snapshot: snapshots.current() ?? call.snapshot };
  let heardAt = clock.monotonic();
  const leaveWhenSilent = async (): Promise<void> => {
    for (;;) {
      const since = clock.monotonic();
      await clock.sleep(timeouts.movedGraceMs, over.signal);
      if (over.signal.aborted) return;
      if (heardAt > since) continue;
      stop.abort(new Error("the workflow moved to another region, and it said no more"));
      return;
    }
  };
  const unsubscribe = snapshots.onChange((snapshot) => {
    if (!movedAway(begunUnder, snapshot)) return;
    unsubscribe();
    void leaveWhenSilent();
  });
  return {
    heard: () => {
      heardAt = clock.monotonic();
    },
    end: () => {
      over.abort();
      unsubscribe();
    },
  };
}
