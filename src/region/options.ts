import type { GoldenSet } from "../model/golden.ts";
import type { IndexName, RegionName, TenantName, WorkflowName } from "../model/ids.ts";
import type { Release } from "../model/release.ts";
import type { OfferedRelease } from "../model/snapshot.ts";
import type { Spec } from "../model/spec.ts";
import type { ArtifactSource, ArtifactStore } from "../ports/artifacts.ts";
import type { AuditHistory, AuditLog } from "../ports/audit.ts";
import type { Bulk } from "../ports/bulk.ts";
import type { Clock } from "../ports/clock.ts";
import type { IndexStore } from "../ports/index.ts";
import type { Probe } from "../ports/probe.ts";
import type { RegionReleases } from "../ports/releases.ts";
import type { ChangeSource } from "../ports/source.ts";
import type { Store } from "../ports/store.ts";
import type { ArtifactKeeper } from "./artifacts/keeper.ts";
import type { ProofQuestion } from "./indexes/proof-question.ts";

/** What an agent needs. It closes none of it: whoever opened a thing closes it. */
export interface AgentOptions {
  readonly region: RegionName;
  /** Where the agent's API listens; port 0 takes any free one. */
  readonly host: string;
  readonly port: number;
  readonly spec: Spec;
  /** What the estate begins with, for as long as no snapshot says otherwise. */
  readonly release: { readonly digest: string; readonly body: Release } | null;
  /**
   * ISO time until which this region's trusted keys have signed a release; null: for ever. Absent:
   * nobody asks here.
   */
  readonly expiryOf?: (release: Pick<OfferedRelease, "digest" | "signatures">) => string | null;
  /** This region's own copies of releases. */
  readonly releases: RegionReleases;
  /** Keeps this region's copies of artifacts level; absent where the spec names no source. */
  readonly artifacts?: ArtifactKeeper;
  readonly golden: ReadonlyMap<WorkflowName, GoldenSet>;
  readonly store: Store;
  readonly clock: Clock;
  readonly probe: Probe;
  /** This region's copies. The agent is their only writer. */
  readonly indexes: ReadonlyMap<IndexName, IndexStore>;
  /** What indexes are fed from, of those that adopt somebody else's table; none when absent. */
  readonly sources?: ReadonlyMap<IndexName, ChangeSource>;
  /** Keys of the indexes' digests, where they have one; each as its store was opened with. */
  readonly digestKeys?: ReadonlyMap<IndexName, Uint8Array>;
  /** What a copy is asked to prove itself; the workflows' golden questions when absent. */
  readonly proofQuestions?: (
    index: IndexName,
    version: string | undefined,
  ) => Promise<readonly ProofQuestion[]>;
  /** The log that this region's gateway writes; only read here. */
  readonly audit: AuditLog;
  /** The same, for what callers ask for; absent: nothing is known of that. */
  readonly traffic?: AuditHistory;
  /** Where snapshots of indexes are; absent: none are taken, and none restored. */
  readonly snapshots?: SnapshotPlaces;
  /** For pages of entries from other agents; absent: they come as JSON, one look at a time. */
  readonly bulk?: Bulk;
  /** The estate's token: callers of the agent must hold it, and so does the agent as a caller. */
  readonly token: string;
  /** API keys of the tenants on whose behalf canaries may ask. */
  readonly canaryKeys: ReadonlyMap<TenantName, string>;
  /** API keys of runtime targets by the name in their `keyEnv`; none when absent. */
  readonly targetKeys?: ReadonlyMap<string, string>;
  /** Time between two readiness runs of one workflow, in ms; 5 s when absent. */
  readonly readinessEvery?: number;
  readonly logger: AgentLogger;
}

export interface SnapshotPlaces {
  /** This region's own, which other regions read through its agent. */
  readonly own: ArtifactStore;
  /** Another region's, read through its agent; null when the spec gives it none. */
  of(region: RegionName): ArtifactSource | null;
}

/** The part of pino that the agent uses. */
export interface AgentLogger {
  info(data: object, message: string): void;
  warn(data: object, message: string): void;
}
