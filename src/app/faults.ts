import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TideoverError } from "../lib/errors.ts";
import type { DataDir } from "./data-dir.ts";
import type { Supervisor } from "./supervisor.ts";

/** What a fault needs of the supervisor. */
type FaultySupervisor = Pick<
  Supervisor,
  "processes" | "killProcess" | "killRegion" | "startRegion"
>;

/** Longest time that a fault may stay when nobody takes it back. */
const MAX_FAULT_MS = 10 * 60_000;

/** After a region could not be started: a port may still be taken for a moment. */
const AGAIN_MS = 5_000;

/**
 * Breaks a region of a local estate on purpose, and always mends it. The undo is written down before
 * the fault, and a dead-man timer on this side mends it when whoever asked for the fault is gone:
 * chaos tools are known for faults that outlive their experiment.
 */
export class Faults {
  readonly #supervisor: FaultySupervisor;
  readonly #file: string;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(supervisor: FaultySupervisor, data: Pick<DataDir, "root">) {
    this.#supervisor = supervisor;
    this.#file = join(data.root, "faults.json");
  }

  /** Kills every process of a region. It comes back by `restore`, or by itself after `restoreAfterMs`. */
  async killRegion(region: string, restoreAfterMs: number): Promise<void> {
    const processes = this.#supervisor.processes().filter((process) => process.region === region);
    if (processes.length === 0) {
      throw new TideoverError(`no process of region "${region}" runs here`, { code: "NOT_FOUND" });
    }
    this.#begin(region, "killed", restoreAfterMs);
    await this.#supervisor.killRegion(region);
  }

  /** Kills every model runtime of a region that runs here, and nothing else; mended as a region is. */
  async killModels(region: string, restoreAfterMs: number): Promise<void> {
    const runtimes = this.#supervisor
      .processes()
      .filter(({ name }) => name.startsWith(`runtime:${region}:`));
    if (runtimes.length === 0) {
      throw new TideoverError(`no model of region "${region}" runs here`, { code: "NOT_FOUND" });
    }
    this.#begin(region, "models killed", restoreAfterMs);
    await Promise.all(runtimes.map(({ name }) => this.#supervisor.killProcess(name)));
  }

  /**
   * Starts the region again. Doing it twice does nothing the second time. Until it runs again the
   * timer stays armed: a start that fails must not be the last one.
   */
  async restore(region: string): Promise<void> {
    await this.#supervisor.startRegion(region);
    clearTimeout(this.#timers.get(region));
    this.#timers.delete(region);
    const { [region]: _mended, ...others } = this.#recorded();
    this.#record(others);
  }

  /** Before the estate stops: nothing may start a region again behind its back. */
  disarm(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    rmSync(this.#file, { force: true });
  }

  /** Written down and armed before anything breaks. */
  #begin(region: string, fault: string, restoreAfterMs: number): void {
    const bounded = Math.min(restoreAfterMs, MAX_FAULT_MS);
    this.#record({ ...this.#recorded(), [region]: { fault, restoreAfterMs: bounded } });
    this.#arm(region, bounded);
  }

  #arm(region: string, afterMs: number): void {
    clearTimeout(this.#timers.get(region));
    const mend = (): void => {
      void this.restore(region).catch(() => {
        // `disarm` means that the estate stops: then nothing is armed again.
        if (this.#timers.has(region)) this.#arm(region, AGAIN_MS);
      });
    };
    const timer = setTimeout(mend, afterMs);
    this.#timers.set(region, timer);
  }

  #recorded(): Record<string, unknown> {
    try {
      return JSON.parse(readFileSync(this.#file, "utf8"));
    } catch {
      return {};
    }
  }

  #record(faults: Record<string, unknown>): void {
    writeFileSync(this.#file, JSON.stringify(faults));
  }
}
