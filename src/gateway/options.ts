import type { Logger } from "pino";
import type { IndexName, RegionName } from "../model/ids.ts";
import type { AuditLog } from "../ports/audit.ts";
import type { Clock } from "../ports/clock.ts";
import type { IndexReader } from "../ports/index.ts";
import type { Limits } from "./limits.ts";
import type { Metrics } from "./metrics.ts";
import type { ReleaseOutcomes } from "./outcomes.ts";
import type { Peers } from "./peers.ts";
import type { SharedMemory } from "./shared/memory.ts";
import type { SnapshotHolder } from "./snapshots.ts";
import type { Retries } from "./targets/budget.ts";
import type { Damage } from "./targets/damage.ts";
import type { Health } from "./targets/health.ts";
import type { Memory } from "./targets/memory.ts";
import type { Pools } from "./targets/pools.ts";
import type { Own, Together } from "./together.ts";

/** All times in milliseconds. */
export interface GatewayTimeouts {
  /** To open a connection to a target or to another gateway. */
  readonly connectMs: number;
  /** From sending a streamed request to its first event, at most; mostly less (`reflex`). */
  readonly firstEventMs: number;
  /** For the search in an index, once the question's vector is there. */
  readonly retrieveMs: number;
  /** For a copy of an index to reach the position that a caller needs. */
  readonly positionMs: number;
  /** Between two events of an upstream's answer, at most; mostly less (`reflex`). */
  readonly idleMs: number;
  /** How long a request that nobody answers is held, at most; its deadline bounds it too. */
  readonly holdMs: number;
  /** What a region that lost a workflow gets to finish an answer of which no byte was told. */
  readonly movedGraceMs: number;
  /** Between two signs of life to a caller who is told nothing meanwhile. */
  readonly keepAliveMs: number;
  /** For one audit record to be kept. */
  readonly auditMs: number;
  /** For a peer gateway to hand over its snapshot. */
  readonly peerMs: number;
  /** For open requests to end when the gateway closes. */
  readonly drainMs: number;
}

export const DEFAULT_TIMEOUTS: GatewayTimeouts = {
  connectMs: 2_000,
  firstEventMs: 30_000,
  retrieveMs: 5_000,
  positionMs: 3_000,
  idleMs: 30_000,
  holdMs: 20_000,
  movedGraceMs: 1_000,
  keepAliveMs: 5_000,
  auditMs: 2_000,
  peerMs: 1_000,
  drainMs: 10_000,
};

export interface GatewayOptions {
  readonly region: RegionName;
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly snapshots: SnapshotHolder;
  readonly indexes: ReadonlyMap<IndexName, IndexReader>;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The API key that a target's `keyEnv` names; undefined when there is none. */
  readonly keys: (keyEnv: string) => string | undefined;
  /** A new id, unique across regions. */
  readonly requestId: () => string;
  /**
   * The estate's token. Who shows it may read the snapshot, which names every tenant; and a request
   * that carries it is answered by this region itself, so that a standby can be proven before it is
   * opened. Without one, nobody can ask for either.
   */
  readonly estateToken?: string;
  /** Base URL of each region's gateway, to ask for a snapshot when this one has none. */
  readonly peers?: ReadonlyMap<RegionName, string>;
  /** From 0 to below 1; spreads retries. `Math.random` unless given. */
  readonly random?: () => number;
  readonly timeouts?: Partial<GatewayTimeouts>;
  /** Given: this is one of several threads that are one gateway together. */
  readonly worker?: WorkerOptions;
}

export interface WorkerOptions {
  /** Above 0, and never the number of a thread of before. */
  readonly number: number;
  readonly shared: SharedMemory;
  /** The gateway as a whole; is handed what this thread can be asked for. */
  readonly together: (own: Own) => Together;
}

/** What the links of the chain share: the world, and the little that a gateway remembers. */
export interface Tools {
  readonly region: RegionName;
  readonly snapshots: SnapshotHolder;
  readonly indexes: ReadonlyMap<IndexName, IndexReader>;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly keys: (keyEnv: string) => string | undefined;
  readonly estateToken: string | null;
  readonly random: () => number;
  readonly timeouts: GatewayTimeouts;
  readonly pools: Pools;
  readonly peers: Peers;
  /** Of model targets and of other regions' gateways. */
  readonly targets: Health;
  /** What this gateway may retry, over all requests. */
  readonly retries: Retries;
  /** Of each tenant and workflow, over all requests. */
  readonly limits: Limits;
  /** What is told of the gateway as a whole. */
  readonly together: Together;
  /** Of this region's indexes. */
  readonly retrieval: Memory;
  /** Of the same: what they refused because they may not be believed. */
  readonly damage: Damage;
  /** Of this region's own answers, apart for each release. */
  readonly outcomes: ReleaseOutcomes;
  readonly metrics: Metrics;
}
