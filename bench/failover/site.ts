import type { Bench } from "../support/bench.ts";
import type { Victims } from "./victims.ts";

/** What stands between the callers and the runtimes of two regions. */
export interface Site {
  /** Base URLs, the one last that survives every fault. */
  readonly gateways: readonly string[];
  /** What callers name as the model. */
  readonly model: string;
  /** What each request carries beside its key. */
  readonly headers: Readonly<Record<string, string>>;
  /** Looks, from now on, for the first sign that somebody noticed; times are those of `clock`. */
  watch(clock: () => number): Promise<Watcher>;
  stop(): Promise<void>;
}

export type StartSite = (bench: Bench, victims: Victims, round: number) => Promise<Site>;

export interface Watcher {
  /** null: nobody showed that they noticed. */
  stop(): Noticed | null;
}

/** When something first showed that it had noticed, and how. */
export interface Noticed {
  readonly at: number;
  readonly by: string;
}

const EVERY_MS = 25;

/** Asks each `look` in turn again until one tells what it sees, or until it is stopped. */
export function watchWith(
  looks: readonly (() => Promise<string | null>)[],
  clock: () => number,
): Watcher {
  let first: Noticed | null = null;
  let stopped = false;
  const follow = async (look: () => Promise<string | null>): Promise<void> => {
    while (!stopped && first === null) {
      const by = await look();
      if (by !== null) first ??= { at: clock(), by };
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  };
  for (const look of looks) void follow(look);
  return {
    stop: () => {
      stopped = true;
      return first;
    },
  };
}
