import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { alter, plannedDamage, undo } from "../adapters/index-sqlite/damage.ts";
import { TideoverError } from "../lib/errors.ts";
import type { Estate } from "./estate.ts";

/** Longest time that a fault may stay when nobody takes it back. */
const MAX_FAULT_MS = 10 * 60_000;

const recordedSchema = z.record(
  z.string(),
  z.array(z.strictObject({ id: z.string(), before: z.string(), after: z.string() })),
);

/**
 * Damages a region's copy of an index on purpose, behind the index's back, and always mends it: what
 * the estate has not repaired by itself is put back. The undo is written down before the fault, and a
 * dead-man timer on this side mends it when whoever asked for the fault is gone.
 */
export class IndexFaults {
  readonly #estate: Pick<Estate, "data" | "spec">;
  readonly #file: string;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(estate: Pick<Estate, "data" | "spec">) {
    this.#estate = estate;
    this.#file = join(estate.data.root, "index-faults.json");
  }

  /** Falsifies some records, and gives how many. Throws DRILL_REFUSED for what is no file of ours. */
  damage(region: string, index: string, restoreAfterMs: number): number {
    const path = this.#pathOf(region, index);
    const name = nameOf(region, index);
    const planned = plannedDamage(path);
    this.#record({ ...this.#recorded(), [name]: planned });
    const timer = setTimeout(
      () => this.mend(region, index),
      Math.min(restoreAfterMs, MAX_FAULT_MS),
    );
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, timer);
    return alter(path, planned);
  }

  /** Doing it twice does nothing the second time. */
  mend(region: string, index: string): void {
    const name = nameOf(region, index);
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
    const { [name]: altered = [], ...others } = this.#recorded();
    undo(this.#pathOf(region, index), altered);
    this.#record(others);
  }

  /** Before the estate stops: what is damaged still must not wait for its next start. */
  disarm(): void {
    for (const name of Object.keys(this.#recorded())) {
      const [region = "", index = ""] = name.split("/");
      this.mend(region, index);
    }
    rmSync(this.#file, { force: true });
  }

  #pathOf(region: string, index: string): string {
    const { spec, data } = this.#estate;
    const engine = spec.regions[region]?.components.index?.engine;
    if (engine === "sqlite" && Object.hasOwn(spec.indexes, index)) {
      return data.region(region).index(index);
    }
    throw new TideoverError(`there is no file of index "${index}" in region "${region}" here`, {
      code: "DRILL_REFUSED",
      next: "Only copies that are kept in files of this machine can be damaged on purpose.",
    });
  }

  #recorded(): z.infer<typeof recordedSchema> {
    try {
      return recordedSchema.parse(JSON.parse(readFileSync(this.#file, "utf8")));
    } catch {
      return {};
    }
  }

  #record(faults: z.infer<typeof recordedSchema>): void {
    writeFileSync(this.#file, JSON.stringify(faults));
  }
}

function nameOf(region: string, index: string): string {
  return `${region}/${index}`;
}
