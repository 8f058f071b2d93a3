import type { Stop } from "../../lib/stop.ts";
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
export function leaveWhenMoved(tools: Tools, call: Call, stop: Stop): Watch {
  const { snapshots, clock, timeouts } = tools;
  let callOff = (): void => undefined;
  const begunUnder = { ...call, snapshot: snapshots.current() ?? call.snapshot };
  let heard = 0;
  const leaveWhenSilent = (): void => {
    const before = heard;
    callOff = clock.after(timeouts.movedGraceMs, () => {
      if (heard > before) leaveWhenSilent();
      else stop.abort(new Error("the workflow moved to another region, and it said no more"));
    });
  };
  const unsubscribe = snapshots.onChange((snapshot) => {
    if (!movedAway(begunUnder, snapshot)) return;
    unsubscribe();
    leaveWhenSilent();
  });
  return {
    heard: () => {
      heard += 1;
    },
    end: () => {
      callOff();
      unsubscribe();
    },
  };
}
