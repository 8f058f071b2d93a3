import type { Clock } from "../ports/clock.ts";
import { afterBy } from "./after.ts";
import type { SimClock } from "./clock.ts";

/** Called at each call through a port, before it leaves and after its answer is back. */
export type OnCall = (port: string, method: string, when: "before" | "after") => void;

const NEVER = new Promise<never>(() => undefined);

/**
 * One process of the simulated world: it can be killed between any two things that it does, or be
 * stopped as by SIGSTOP and go on much later, believing that no time has passed.
 */
export class SimProcess {
  readonly clock: Clock;
  onCall: OnCall | undefined;
  readonly #sim: SimClock;
  readonly #bornAt: number;
  #dead = false;
  #stoppedAt: number | null = null;
  #stoodStillMs = 0;
  #resumed: (() => void)[] = [];

  /** `bornAt`: what its monotonic clock shows first; no two processes agree on that. */
  constructor(sim: SimClock, bornAt: number) {
    this.#sim = sim;
    this.#bornAt = bornAt - sim.monotonic();
    const sleep: Clock["sleep"] = async (ms, signal) => {
      await sim.sleep(ms, signal);
      await this.alive();
    };
    const monotonic = (): number => this.#monotonic();
    this.clock = { now: () => sim.now(), monotonic, sleep, after: afterBy(sleep) };
  }

  /** Nothing that it waits for ever comes back: it does not even notice. */
  kill(): void {
    this.#dead = true;
  }

  get dead(): boolean {
    return this.#dead;
  }

  stop(): void {
    this.#stoppedAt ??= this.#sim.monotonic();
  }

  resume(): void {
    if (this.#stoppedAt === null) return;
    this.#stoodStillMs += this.#sim.monotonic() - this.#stoppedAt;
    this.#stoppedAt = null;
    for (const go of this.#resumed.splice(0)) go();
  }

  /** Resolves while the process runs, waits while it is stopped, and never ends once it is dead. */
  async alive(): Promise<void> {
    while (this.#stoppedAt !== null && !this.#dead) {
      await new Promise<void>((resolve) => this.#resumed.push(resolve));
    }
    if (this.#dead) await NEVER;
  }

  /** The same port, with this process's fate at every call. */
  through<Port extends object>(name: string, port: Port): Port {
    return new Proxy(port, {
      get: (target, property) => {
        const member: unknown = Reflect.get(target, property, target);
        if (typeof member !== "function") return member;
        return (...args: unknown[]) =>
          this.#call(name, String(property), () => {
            // Looked up when the call leaves: a test may have broken the method meanwhile.
            const method: unknown = Reflect.get(target, property, target);
            return typeof method === "function" && Reflect.apply(method, target, args);
          });
      },
    });
  }

  /** Does something at the next call of one method, such as `agents.readiness`, before it leaves. */
  once(call: string, act: () => void): void {
    this.onCall = (port, method, when) => {
      if (`${port}.${method}` !== call || when !== "before") return;
      this.onCall = undefined;
      act();
    };
  }

  async #call(port: string, method: string, work: () => unknown): Promise<unknown> {
    await this.#pass(port, method, "before");
    try {
      return await work();
    } finally {
      await this.#pass(port, method, "after");
    }
  }

  async #pass(port: string, method: string, when: "before" | "after"): Promise<void> {
    await this.alive();
    this.onCall?.(port, method, when);
    await this.alive();
  }

  #monotonic(): number {
    const now = this.#stoppedAt ?? this.#sim.monotonic();
    return this.#bornAt + now - this.#stoodStillMs;
  }
}
