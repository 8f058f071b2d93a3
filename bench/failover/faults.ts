import type { Victims } from "./victims.ts";

export interface Fault {
  readonly name: string;
  readonly what: string;
  /** Resolves when the fault is there. */
  readonly strike: (victims: Victims) => Promise<void>;
}

/** A fault that takes no time to strike. */
function at(name: string, what: string, strike: (victims: Victims) => void): Fault {
  return { name, what, strike: async (victims) => strike(victims) };
}

/** In the order in which they are tried; each on a fresh estate. */
export const FAULTS: readonly Fault[] = [
  at("kill-runtime", "SIGKILL of a runtime", (victims) => victims.signalRuntime("SIGKILL")),
  at("kill-runtimes", "SIGKILL of every runtime of a region, and of nothing else", (victims) =>
    victims.signalRuntimes("SIGKILL"),
  ),
  at("kill-region", "SIGKILL of a whole region", (victims) => victims.signalRegion("SIGKILL")),
  at("stop-region", "SIGSTOP of a whole region", (victims) => victims.signalRegion("SIGSTOP")),
  {
    name: "black-hole",
    what: "nothing passes to or from a runtime",
    strike: (victims) => victims.blackHole(),
  },
  { name: "slow", what: "a runtime ten times as slow", strike: (victims) => victims.relay("slow") },
  {
    name: "errors",
    what: "a runtime that answers every second request with 500",
    strike: (victims) => victims.relay("errors"),
  },
];
