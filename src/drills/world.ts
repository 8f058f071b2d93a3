import type { ReleaseStatus } from "../api/release-status.ts";
import type { EstateStatus } from "../api/status.ts";
import type { Evidence } from "../model/evidence.ts";
import type { Plan, PlanState } from "../model/plan.ts";
import type { OperatorRequest, ReleaseRequest } from "../model/request.ts";
import type { OfferedRelease } from "../model/snapshot.ts";
import type { Spec } from "../model/spec.ts";
import type { Clock } from "../ports/clock.ts";
import type { Probe } from "../ports/probe.ts";
import type { Question } from "./load.ts";

/** What a drill needs of the estate that it tries: the control API, and no way around it. */
export interface Control {
  status(): Promise<EstateStatus>;
  release(): Promise<ReleaseStatus>;
  makeKnown(release: OfferedRelease, by: string): Promise<{ digest: string }>;
  changeRelease(
    kind: ReleaseRequest["kind"],
    body: { release: string | null; by: string; acceptChanges?: boolean },
  ): Promise<ReleaseRequest>;
  plans(): Promise<{ plans: Plan[]; states: PlanState[] }>;
  evidence(after: number): Promise<Evidence[]>;
  move(
    kind: OperatorRequest["kind"],
    workflow: string,
    body: { to: string | null; by: string },
  ): Promise<OperatorRequest>;
}

/** Breaks and mends a region. It mends by itself after `restoreAfterMs` when nobody else does. */
export interface RegionFaults {
  killRegion(region: string, restoreAfterMs: number): Promise<void>;
  /** Every model of the region, and nothing else of it. */
  killModels(region: string, restoreAfterMs: number): Promise<void>;
  restore(region: string): Promise<void>;
}

/** Falsifies records of a region's copy of an index; what is not repaired is put back. */
export interface IndexFaults {
  /** Gives how many records were falsified. */
  damageIndex(region: string, index: string, restoreAfterMs: number): Promise<number>;
  mendIndex(region: string, index: string): Promise<void>;
}

export interface DrillWorld {
  readonly spec: Spec;
  readonly control: Control;
  readonly faults: RegionFaults;
  readonly probe: Probe;
  readonly clock: Clock;
  /** The estate's token, for the agents' API. */
  readonly token: string;
  /** API key by tenant. */
  readonly keys: ReadonlyMap<string, string>;
  readonly questions: readonly Question[];
  /** One line for the person who watches. */
  readonly tell: (line: string) => void;
  /** Aborted by Ctrl-C: the drill mends what it broke, and ends. */
  readonly signal: AbortSignal;
}
