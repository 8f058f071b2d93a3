import type { Clock } from "../ports/clock.ts";

/**
 * How old an agent's report is, by the reader's own monotonic clock: the time since this reader
 * first saw this sequence number. The writer's wall clock is not asked, since it may be wrong. A
 * reader that looks for the first time cannot know, and takes the report as new.
 */
export function reportAgesOf(clock: Clock): (observer: string, seq: number) => number {
  const seen = new Map<string, { seq: number; at: number }>();
  return (observer, seq) => {
    const known = seen.get(observer);
    if (known?.seq === seq) return clock.monotonic() - known.at;
    seen.set(observer, { seq, at: clock.monotonic() });
    return 0;
  };
}
