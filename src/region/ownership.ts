import { TideoverError } from "../lib/errors.ts";
import type { IndexName, RegionName } from "../model/ids.ts";
import type { Ownership } from "../model/intent.ts";

/**
 * Who may write each index, as far as this agent knows.
 *
 * It learns from two sides: by reading the store, and by a controller's message about what the
 * store already holds. Either may arrive late. The rules that make the order harmless:
 * 1. A lower epoch changes nothing. The region of an epoch never changes.
 * 2. Within one epoch a message can freeze but never thaw, so that a delayed one only ever makes
 *    this agent stricter. Only the store thaws.
 * 3. A store read that began before a message came may be older than the message: it does not thaw.
 * 4. The store gone, the last knowledge stays (static stability).
 */
export class OwnershipBook {
  readonly #known = new Map<IndexName, Ownership>();
  #messages = 0;
  #readAt: number | null = null;

  of(index: IndexName): Ownership | null {
    return this.#known.get(index) ?? null;
  }

  /** Before reading the store: hand the result to `learn` with what was read. */
  beginRead(now: number): ReadMark {
    return { began: now, messages: this.#messages };
  }

  /** Takes what the store holds. */
  learn(ownerships: readonly Ownership[], mark: ReadMark): void {
    // Counted from the read's begin: the answer says nothing about the time after it was asked.
    this.#readAt = mark.began;
    const mayThaw = mark.messages === this.#messages;
    for (const told of ownerships) {
      const known = this.#known.get(told.index);
      if (known !== undefined && told.epoch < known.epoch) continue;
      const thaws = known?.epoch === told.epoch && known.frozen && !told.frozen;
      if (!thaws || mayThaw) this.#known.set(told.index, told);
    }
  }

  /** Takes a controller's message. Throws EPOCH_STALE on a lower epoch, or another owner of one. */
  obey(told: Ownership): Ownership {
    const known = this.#known.get(told.index);
    refuseStale(told, known);
    this.#messages += 1;
    const frozen = told.frozen || (known?.epoch === told.epoch && known.frozen);
    const adopted = { ...told, frozen };
    this.#known.set(told.index, adopted);
    return adopted;
  }

  /** How long the store has not been read, in ms; infinite when it never was. */
  unreadForMs(now: number): number {
    return this.#readAt === null ? Number.POSITIVE_INFINITY : now - this.#readAt;
  }
}

export interface ReadMark {
  readonly began: number;
  readonly messages: number;
}

function refuseStale(told: Ownership, known: Ownership | undefined): void {
  if (known === undefined || told.epoch > known.epoch) return;
  const same: RegionName = known.region;
  if (told.epoch === known.epoch && told.region === same) return;
  throw new TideoverError(
    `ownership of index "${told.index}" by ${told.region} has epoch ${told.epoch}; this agent knows ${known.region} with epoch ${known.epoch}`,
    {
      code: "EPOCH_STALE",
      next: "Read the ownership from the store again: somebody has moved it since.",
    },
  );
}
