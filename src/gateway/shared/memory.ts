import { releaseBudget, sharedBudgetMemory } from "./budget.ts";
import { releaseEntries, sharedEntriesMemory } from "./entries.ts";
import { sharedLimitsMemory } from "./limits.ts";

/** What the threads of one gateway remember together. Begins empty, and lives as long as they. */
export interface SharedMemory {
  readonly limits: SharedArrayBuffer;
  readonly retries: SharedArrayBuffer;
  readonly targets: SharedArrayBuffer;
}

export function sharedMemory(): SharedMemory {
  return {
    limits: sharedLimitsMemory(),
    retries: sharedBudgetMemory(),
    targets: sharedEntriesMemory(),
  };
}

/** For whoever runs the threads, when one has ended: frees what it held while it was ended. */
export function releaseAll({ retries, targets }: SharedMemory, ended: number): void {
  releaseBudget(retries, ended);
  releaseEntries(targets, ended);
}
