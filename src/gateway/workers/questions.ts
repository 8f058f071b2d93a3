import type { Fault } from "../../lib/fault.ts";
import type { AuditRecord } from "../../model/audit.ts";
import type { SignedSnapshot } from "../../model/snapshot.ts";
import type { SharedMemory } from "../shared/memory.ts";
import type { Held, Offer } from "../snapshots.ts";
import type { MetricJson, Part, Whole } from "../together.ts";

interface Question<Asked, Told> {
  readonly asked: Asked;
  readonly told: Told;
}

/** What a worker asks of the main thread, which owns what only one may own. */
export type ToMain = {
  /** It serves at this address, or why it cannot. The first question of all. */
  readonly started: Question<Started, null>;
  /** For each record null once the kernel has it, or why it could not be kept. */
  readonly append: Question<readonly AuditRecord[], (Fault | null)[]>;
  readonly find: Question<string, AuditRecord | null>;
  readonly offer: Question<SignedSnapshot, Offer>;
  readonly look: Question<null, Whole>;
  readonly metricsPage: Question<null, string>;
};

/** What the main thread asks of each worker. */
export type ToWorker = {
  /** The number that it serves then. */
  readonly follow: Question<Held, number>;
  readonly part: Question<null, Part>;
  readonly metrics: Question<null, MetricJson[]>;
  /** Told when it has drained. */
  readonly close: Question<null, null>;
};

export type Started =
  | { readonly ok: true; readonly url: string }
  | { readonly ok: false; readonly fault: Fault };

/** What a worker is started with. Plain data. */
export interface WorkerStart {
  /** Above 0, and never given twice: shared memory knows its holders by it. */
  readonly number: number;
  /** Which of the gateway's workers it is, from 1; a successor has its predecessor's. */
  readonly seat: number;
  readonly host: string;
  /** 0 for the first of all, if the gateway takes any free port. */
  readonly port: number;
  readonly shared: SharedMemory;
  readonly held: Held;
}
