import { Stop } from "../lib/stop.ts";
import type { Clock } from "../ports/clock.ts";

/** `after` for a clock that has its own idea of sleep: called off, the sleep ends and nothing runs. */
export function afterBy(sleep: Clock["sleep"]): Clock["after"] {
  return (ms, run) => {
    const calledOff = new Stop();
    void sleep(ms, calledOff).then(() => {
      if (!calledOff.aborted) run();
    });
    return () => calledOff.abort("called off");
  };
}
