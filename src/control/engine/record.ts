import { chainEntry } from "../../core/evidence/chain.ts";
import { TideoverError } from "../../lib/errors.ts";
import { type Evidence, evidenceSchema } from "../../model/evidence.ts";
import { KEYS } from "../../model/keys.ts";
import type { Clock } from "../../ports/clock.ts";
import type { CommitResult, Compare, Operation, Store, Transaction } from "../../ports/store.ts";
import { leaseLost } from "./errors.ts";
import type { Held } from "./state.ts";

/** One sentence for the record; number, time and link are given when it is written. */
export interface Fact {
  readonly kind: Evidence["kind"];
  readonly text: string;
  readonly workflow?: string;
  readonly planId?: string;
  readonly data?: Record<string, unknown>;
}

/** What shall change, and what is said about it: both happen, or neither does. */
export interface Write {
  readonly compare?: readonly Compare[];
  readonly operations: readonly Operation[];
  readonly facts: readonly Fact[];
}

export interface Recorder {
  /**
   * Writes operations and evidence in one transaction under `fence`, the compare on the leader
   * key. Gives the revision. Throws LEASE_LOST when the fence does not hold, STORE_CONFLICT (now)
   * when a compare of the write does not, STORE_UNAVAILABLE when nobody knows: then it may have
   * happened, and the caller must read before it writes again.
   */
  commit(fence: Compare, write: Write): Promise<number>;
}

const KEPT_DEFAULT = 20_000;
/** Others than the leader may append too (a drill, a person), but not so often as this. */
const HEAD_CONFLICTS = 8;

/**
 * The only door through which a controller writes to the store.
 *
 * Safety argument: every transaction compares the leader key's revision. That key was written once,
 * by the election of this term, and is gone or rewritten as soon as any other controller leads; so
 * a controller that slept through its lease writes nothing, however late it wakes and however sure
 * it is. The same transaction links the evidence to the head it compares, so two entries can never
 * have one number, and nothing is done without its entry.
 *
 * Entries beyond the newest `kept` are deleted one by one from the old end, in the transaction that
 * makes them too many. What remains is a suffix of the chain: each kept entry still names its
 * predecessor's hash, so it verifies from the first kept entry (whose `previous` is the anchor) to
 * the head (KEYS.evidenceHead, which holds the newest entry whole).
 */
export function createRecorder(options: {
  readonly store: Store;
  readonly clock: Clock;
  readonly kept?: number | undefined;
}): Recorder {
  const { store, clock, kept = KEPT_DEFAULT } = options;
  let head: Held<Evidence | null> | null = null;
  let last: Promise<unknown> = Promise.resolve();

  async function readHead(): Promise<Held<Evidence | null>> {
    const entry = await store.get(KEYS.evidenceHead);
    return { value: entry && evidenceSchema.parse(entry.value), revision: entry?.revision ?? 0 };
  }

  async function attempt(fence: Compare, write: Write): Promise<CommitResult> {
    const from = head ?? (await readHead());
    // Unknown until the answer is here: after a lost answer, the head may have moved or not.
    head = null;
    const { transaction, newest } = linked(fence, write, from, clock.now(), kept);
    const result = await store.commit(transaction);
    if (result.ok) {
      head = { value: newest, revision: newest === from.value ? from.revision : result.revision };
    }
    return result;
  }

  async function commit(fence: Compare, write: Write): Promise<number> {
    for (let tries = 0; tries < HEAD_CONFLICTS; tries += 1) {
      const result = await attempt(fence, write);
      if (result.ok) return result.revision;
      if (result.conflict.key === fence.key) throw leaseLost("the leader key is another's now");
      if (result.conflict.key !== KEYS.evidenceHead) throw conflictOn(result.conflict.key);
    }
    throw conflictOn(KEYS.evidenceHead);
  }

  return {
    commit(fence, write) {
      // One at a time: lanes share the head, and would only refuse each other.
      const mine = last.then(() => commit(fence, write));
      last = mine.catch(() => undefined);
      return mine;
    },
  };
}

function linked(
  fence: Compare,
  write: Write,
  head: Held<Evidence | null>,
  now: number,
  kept: number,
): { transaction: Transaction; newest: Evidence | null } {
  let newest = head.value;
  const entries = write.facts.map((fact) => {
    newest = chainEntry(newest, {
      at: now,
      kind: fact.kind,
      workflow: fact.workflow ?? null,
      planId: fact.planId ?? null,
      text: fact.text,
      data: fact.data ?? {},
    });
    return newest;
  });
  // The fence first: the first compare that fails is the one that is told.
  const compare = [fence, ...(write.compare ?? [])];
  const operations = [...write.operations];
  if (entries.length > 0) {
    compare.push({ key: KEYS.evidenceHead, revision: head.revision });
    operations.push(...entries.flatMap((entry) => entryOperations(entry, kept)));
    operations.push({ put: KEYS.evidenceHead, value: newest });
  }
  return { transaction: { compare, operations }, newest };
}

function entryOperations(entry: Evidence, kept: number): Operation[] {
  const put: Operation = { put: KEYS.evidence(entry.seq), value: entry };
  return entry.seq > kept ? [put, { delete: KEYS.evidence(entry.seq - kept) }] : [put];
}

function conflictOn(key: string): TideoverError {
  return new TideoverError(`another write to ${key} came first`, {
    code: "STORE_CONFLICT",
    retry: "now",
  });
}
