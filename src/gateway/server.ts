import type { Clock } from "../ports/clock.ts";
import { createApp } from "./app.ts";
import { HttpServer } from "./http/server.ts";
import { LocalLimits } from "./limits.ts";
import { listen, urlOf } from "./listen.ts";
import { createMetrics } from "./metrics.ts";
import {
  DEFAULT_TIMEOUTS,
  type GatewayOptions,
  type Tools,
  type WorkerOptions,
} from "./options.ts";
import { ReleaseOutcomes } from "./outcomes.ts";
import { Peers } from "./peers.ts";
import { SharedBudget } from "./shared/budget.ts";
import { SharedEntries } from "./shared/entries.ts";
import { SharedLimits } from "./shared/limits.ts";
import { RetryBudget } from "./targets/budget.ts";
import { Damage } from "./targets/damage.ts";
import { Health } from "./targets/health.ts";
import { Memory } from "./targets/memory.ts";
import { Pools } from "./targets/pools.ts";
import type { Own, Together } from "./together.ts";

export interface Gateway {
  /** Where it listens, such as `http://127.0.0.1:7101`. */
  readonly url: string;
  /** Stops accepting, lets what is under way end for a bounded time, then breaks the rest off. */
  close(): Promise<void>;
}

/** An index is left alone after one failure: it has no equal to turn to. */
const INDEX_MEMORY = { failures: 1, firstMs: 500, longestMs: 5_000 };

const CALLER_TIMES = {
  /** A caller gets this long to send its headers, and then its whole body. Slower ones are attacks. */
  headMs: 10_000,
  requestMs: 60_000,
  /** Longer than the clients' pools keep theirs, so that they, not we, close an idle connection. */
  keepAliveMs: 65_000,
  lingerMs: 2_000,
};

/**
 * Starts one region's gateway. It serves from the snapshot on its disk, or from a peer's if that is
 * newer, and needs nobody else: every controller and store may be gone. Throws PORT_TAKEN when the
 * address is in use and DISK_NOT_WRITABLE when its snapshot cannot be read.
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const tools = toolsOf(options);
  const refused = await tools.snapshots.load();
  if (refused !== null)
    tools.logger.error({ code: refused.code, next: refused.next }, refused.message);
  // Before the first request: what was kept may be the belief of before a failover.
  await tools.peers.learn();
  const server = new HttpServer({ times: CALLER_TIMES, ...createApp(tools, options.requestId) });
  try {
    await listen(server.listener, options, options.worker !== undefined);
  } catch (error) {
    tools.pools.close();
    throw error;
  }
  const url = urlOf(server.listener, options.host);
  tools.logger.info({ region: tools.region, url, snapshot: tools.snapshots.number }, "gateway up");
  return { url, close: () => close(server, tools) };
}

function toolsOf(options: GatewayOptions): Tools {
  const { region, snapshots, clock } = options;
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const pools = new Pools(timeouts);
  const random = options.random ?? Math.random;
  const { targets, retries, limits } = remembering(clock, random, options.worker);
  const tools = {
    region,
    snapshots,
    indexes: options.indexes,
    audit: options.audit,
    clock,
    logger: options.logger,
    keys: options.keys,
    estateToken: options.estateToken ?? null,
    random,
    timeouts,
    pools,
    peers: new Peers({
      region,
      snapshots,
      pools,
      clock,
      peerMs: timeouts.peerMs,
      token: options.estateToken ?? null,
      known: options.peers ?? new Map(),
    }),
    targets,
    retries,
    limits,
    retrieval: new Memory(clock, INDEX_MEMORY),
    damage: new Damage(clock),
    outcomes: new ReleaseOutcomes(clock),
    metrics: createMetrics({ snapshotNumber: () => snapshots.number, targets, retries }),
  };
  const own = ownOf(tools);
  return { ...tools, together: options.worker?.together(own) ?? alone(own, tools) };
}

/** What a gateway remembers of its requests: by itself, or with its other threads. */
function remembering(clock: Clock, random: () => number, worker: WorkerOptions | undefined) {
  if (worker === undefined) {
    return {
      targets: new Health(clock, random),
      retries: new RetryBudget(clock),
      limits: new LocalLimits(clock),
    };
  }
  const { shared, number } = worker;
  const entries = new SharedEntries(shared.targets, number, () => clock.monotonic());
  return {
    targets: new Health(clock, random, entries),
    retries: new SharedBudget(shared.retries, number, clock),
    limits: new SharedLimits(shared.limits, clock),
  };
}

/** What this thread says of itself. */
function ownOf(tools: Omit<Tools, "together">): Own {
  const { snapshots, retrieval, damage, outcomes, metrics } = tools;
  return {
    part: () => ({
      number: snapshots.number,
      sinceMs: Math.round(snapshots.sinceMs),
      indexes: retrieval.outcomes(),
      damaged: damage.troubles(tools.region),
      outcomes: outcomes.windows(),
      auditFailures: {
        total: metrics.auditFailures.total,
        newestFailed: metrics.auditFailures.newestFailed,
      },
    }),
    metrics: () => metrics.registry.getMetricsAsJSON(),
  };
}

function alone(own: Own, { metrics }: Omit<Tools, "together">): Together {
  return {
    look: async () => ({ parts: [own.part()], seats: [] }),
    metricsPage: () => metrics.registry.metrics(),
  };
}

async function close(server: HttpServer, tools: Tools): Promise<void> {
  const drained = tools.clock.after(tools.timeouts.drainMs, () => server.destroy());
  await server.close();
  drained();
  tools.pools.close();
}
