import { messageOf } from "../../lib/errors.ts";
import { KEYS } from "../../model/keys.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Compare, Store } from "../../ports/store.ts";
import type { Logger } from "../deps.ts";
import { hasCode } from "./errors.ts";
import type { Recorder } from "./record.ts";

/** One reign of one controller. */
export interface Term {
  readonly number: number;
  /** Goes into every write: the leader key as this term's election wrote it. */
  readonly fence: Compare;
  /** Aborts when this controller leads no more. */
  readonly over: AbortSignal;
}

export type Standing =
  | { readonly leads: true; readonly term: Term; readonly justElected: boolean }
  /** `leader` null: an election was lost to somebody whose name is not known yet. */
  | { readonly leads: false; readonly leader: string | null };

export interface Leadership {
  /** One turn: stays, becomes or follows the leader. Throws STORE_UNAVAILABLE, and keeps its term. */
  turn(): Promise<Standing>;
  /** The term as far as this controller knows; only a write tells whether it is so. */
  term(): Term | null;
  /** A write was refused, or the lease is gone: everything that ran under the term ends. */
  stepDown(because: string): void;
  /** Gives the lease back, so that a successor need not wait for it to run out. */
  resign(): Promise<void>;
}

const LEASE_MS = 3_000;
const KEEP_ALIVE_MS = 1_000;

interface Reign {
  readonly term: Term;
  readonly lease: string;
  readonly end: AbortController;
  keptAt: number;
}

interface LeadershipOptions {
  readonly id: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly logger: Logger;
}

/**
 * One leads by a lease in the store. The lease decides liveness only (who may try); safety is the
 * compare on the leader key in every write (see record.ts). That is why a store that is slow or
 * away ends no term: nobody else can be elected through a store that does not answer, and if one
 * was, the next write is refused.
 */
export function createLeadership(options: LeadershipOptions): Leadership {
  return new LeaseLeadership(options);
}

class LeaseLeadership implements Leadership {
  readonly #options: LeadershipOptions;
  #reign: Reign | null = null;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  async turn(): Promise<Standing> {
    return this.#reign === null ? this.#seek() : this.#keep(this.#reign);
  }

  term(): Term | null {
    return this.#reign?.term ?? null;
  }

  stepDown(because: string): void {
    if (this.#reign === null) return;
    const { term, end } = this.#reign;
    const { id, logger } = this.#options;
    logger.warn({ term: term.number }, `${id} leads no more: ${because}`);
    this.#reign = null;
    // Last: whoever listens must already see that this controller leads no more.
    end.abort();
  }

  async resign(): Promise<void> {
    if (this.#reign === null) return;
    const { id, recorder, store, logger } = this.#options;
    const { term, lease } = this.#reign;
    const text = `${id} gives up leading after term ${term.number}`;
    await recorder
      .commit(term.fence, { operations: [], facts: [{ kind: "leadership", text }] })
      .then(() => store.revokeLease(lease))
      // The lease runs out by itself: only the successor's wait is longer.
      .catch((error) => logger.warn({ error: messageOf(error) }, "could not give the lease back"));
    this.stepDown("it was stopped");
  }

  async #keep(reign: Reign): Promise<Standing> {
    const { clock, store } = this.#options;
    const now = clock.monotonic();
    if (now - reign.keptAt >= KEEP_ALIVE_MS) {
      if (!(await store.keepAlive(reign.lease))) {
        this.stepDown("its lease ran out");
        return this.#seek();
      }
      // The time before the call: the lease began to run then at the earliest.
      reign.keptAt = now;
    }
    return { leads: true, term: reign.term, justElected: false };
  }

  async #seek(): Promise<Standing> {
    const { store, clock } = this.#options;
    const leader = await store.get(KEYS.leader);
    // Even when the name is ours: it is an earlier process's reign, and its lease must run out.
    if (leader !== null) return { leads: false, leader: leaderId(leader.value) };
    const keptAt = clock.monotonic();
    const lease = await store.grantLease(LEASE_MS);
    try {
      this.#reign = await this.#elect(lease, keptAt);
      return { leads: true, term: this.#reign.term, justElected: true };
    } catch (error) {
      // Whatever went wrong, a lease that nobody keeps must not hold the leader key.
      await store.revokeLease(lease).catch(() => undefined);
      if (!hasCode(error, "LEASE_LOST") && !hasCode(error, "STORE_CONFLICT")) throw error;
      return { leads: false, leader: null };
    }
  }

  async #elect(lease: string, keptAt: number): Promise<Reign> {
    const { id, store, recorder, logger } = this.#options;
    const before = await store.get(KEYS.term);
    const number = 1 + (typeof before?.value === "number" ? before.value : 0);
    const text = `${id} leads in term ${number}`;
    const revision = await recorder.commit(
      // Revision 0: only while nobody leads.
      { key: KEYS.leader, revision: 0 },
      {
        compare: [{ key: KEYS.term, revision: before?.revision ?? 0 }],
        operations: [
          { put: KEYS.leader, value: { id, term: number }, lease },
          { put: KEYS.term, value: number },
        ],
        facts: [{ kind: "leadership", text, data: { id, term: number } }],
      },
    );
    logger.info({ term: number }, text);
    const end = new AbortController();
    const fence = { key: KEYS.leader, revision };
    return { term: { number, fence, over: end.signal }, lease, end, keptAt };
  }
}

function leaderId(value: unknown): string | null {
  if (typeof value !== "object" || value === null || !("id" in value)) return null;
  return String(value.id);
}
