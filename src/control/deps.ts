import type { LoadedRelease } from "../core/publish/releases.ts";
import type { SignedSnapshot } from "../model/snapshot.ts";
import type { Spec } from "../model/spec.ts";
import type { Agents } from "../ports/agents.ts";
import type { Clock } from "../ports/clock.ts";
import type { Notify } from "../ports/notify.ts";
import type { Probe } from "../ports/probe.ts";
import type { Store } from "../ports/store.ts";
import type { Traffic } from "../ports/traffic.ts";

/** What the controller needs of a logger; pino has this shape. */
export interface Logger {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export interface ControllerDeps {
  /** Unique among the controllers of one store; it names the leader and the observer. */
  readonly id: string;
  readonly spec: Spec;
  /** What the estate begins with; null: an estate without a release folder. */
  readonly release: LoadedRelease | null;
  /** How long a region runs a new release before the next one gets it, in ms; 5 s when left out. */
  readonly bakeMs?: number;
  readonly store: Store;
  readonly clock: Clock;
  readonly probe: Probe;
  readonly traffic: Traffic;
  readonly agents: Agents;
  readonly notify: Notify;
  /** Signs a snapshot's canonical JSON with the estate's key. */
  readonly sign: (payload: string) => SignedSnapshot;
  readonly logger: Logger;
  /** A name that nobody used before: plan ids. */
  readonly newId: () => string;
  /** Pause between two turns; 250 when left out, null when turns are driven by `cycle` alone. */
  readonly tickMs?: number | null;
  /** Evidence entries that are kept; 20,000 when left out. */
  readonly evidenceKept?: number;
}
