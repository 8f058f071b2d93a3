import { errorOf, type Fault, faultOf } from "../../lib/fault.ts";
import type { AuditRecord } from "../../model/audit.ts";
import type { AuditLog } from "../../ports/audit.ts";
import type { GatewayOptions } from "../options.ts";
import { type Gateway, startGateway } from "../server.ts";
import { SnapshotHolder } from "../snapshots.ts";
import type { Own, Together } from "../together.ts";
import { Line, type Port } from "./line.ts";
import type { ToMain, ToWorker, WorkerStart } from "./questions.ts";

type MainLine = Line<ToMain, ToWorker>;

/** All of a gateway but what the main thread has for all workers. Its clock must be the machine's. */
export type WorkerGateway = Omit<
  GatewayOptions,
  "host" | "port" | "snapshots" | "audit" | "worker"
>;

/**
 * One worker: a whole gateway with its own event loop and connections, which leaves to the main
 * thread what only one may do (write the audit log, judge and keep snapshots) and shares with the
 * others what must be counted once (limits, retries, what is known of targets). Never throws: a
 * start that fails is told to the main thread.
 */
export async function runWorker(
  port: Port,
  start: WorkerStart,
  options: WorkerGateway,
): Promise<void> {
  const gateway = Promise.withResolvers<Gateway>();
  // Whoever awaits it is told; without anybody it is no unhandled error.
  gateway.promise.catch(() => undefined);
  const own = Promise.withResolvers<Own>();
  const line: MainLine = new Line<ToMain, ToWorker>(port, {
    follow: (held) => {
      snapshots.follow(held);
      return snapshots.number;
    },
    part: async () => (await own.promise).part(),
    metrics: async () => (await own.promise).metrics(),
    close: async () => {
      await (await gateway.promise).close();
      await audit.close();
      return null;
    },
  });
  const snapshots = SnapshotHolder.following(
    { held: start.held, offer: (signed) => line.ask("offer", signed) },
    options.clock,
  );
  const audit = new HandedAudit(line);
  const together = (mine: Own): Together => {
    own.resolve(mine);
    return askingMain(line);
  };
  try {
    const { number, shared, host, port: listenPort } = start;
    const worker = { number, shared, together };
    const started = await startGateway({
      ...options,
      ...{ host, port: listenPort, snapshots, audit, worker },
    });
    gateway.resolve(started);
    await line.ask("started", { ok: true, url: started.url });
  } catch (error) {
    gateway.reject(error);
    await line.ask("started", { ok: false, fault: faultOf(error) });
  }
}

function askingMain(line: MainLine): Together {
  return {
    look: () => line.ask("look", null),
    metricsPage: () => line.ask("metricsPage", null),
  };
}

interface Waiting {
  readonly record: AuditRecord;
  resolve(): void;
  reject(error: Error): void;
}

/** Hands records to the main thread, all of one turn together, and waits until the kernel has them. */
class HandedAudit implements AuditLog {
  readonly #line: MainLine;
  #waiting: Waiting[] = [];
  #underWay = new Set<Promise<void>>();

  constructor(line: MainLine) {
    this.#line = line;
  }

  append(record: AuditRecord): Promise<void> {
    const kept = new Promise<void>((resolve, reject) => {
      if (this.#waiting.push({ record, resolve, reject }) === 1) setImmediate(() => this.#hand());
    });
    this.#underWay.add(kept);
    const over = (): void => void this.#underWay.delete(kept);
    kept.then(over, over);
    return kept;
  }

  find(requestId: string): Promise<AuditRecord | null> {
    return this.#line.ask("find", requestId);
  }

  /** Waits for what is under way. The log itself is the main thread's. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  #hand(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    const records = batch.map(({ record }) => record);
    this.#line.ask("append", records).then(
      (faults) => settle(batch, faults),
      (error) => batch.forEach(({ reject }) => void reject(error)),
    );
  }
}

function settle(batch: readonly Waiting[], faults: readonly (Fault | null)[]): void {
  for (const [at, { resolve, reject }] of batch.entries()) {
    const fault = faults[at] ?? null;
    if (fault === null) resolve();
    else reject(errorOf(fault));
  }
}
