import { lagMs } from "../core/reconcile/freshness.ts";
import { messageOf } from "../lib/errors.ts";
import type { IndexName } from "../model/ids.ts";
import { EMPTY_POSITION, type Position } from "../model/position.ts";
import type { IndexState } from "../model/signal.ts";
import type { IndexStore } from "../ports/index.ts";
import { Bell } from "./bell.ts";
import { Accepting } from "./indexes/accepting.ts";
import { IndexHealth } from "./indexes/health.ts";
import { Mutex } from "./mutex.ts";
import { Reindexing } from "./reindexing.ts";
import { Restoring } from "./snapshots/restoring.ts";

/** This region's copy of an index, with what is known of its owner. */
export class LocalIndex {
  readonly name: IndexName;
  readonly store: IndexStore;
  /** Held for every write, and never over a network call: an ownership message waits for it. */
  readonly writing = new Mutex();
  /** Held over a whole pull: two pulls at once would each rewind what the other has just applied. */
  readonly pulling = new Mutex();
  /** Held while a snapshot is taken, copied or let go of. */
  readonly snapshotting = new Mutex();
  readonly restoring = new Restoring();
  readonly reindexing = new Reindexing();
  readonly accepting = new Accepting();
  /** Told when this region, as the owner, has written. */
  readonly written = new Bell();
  readonly health = new IndexHealth();
  /** Why the last pull or fence failed; null when it went well. */
  error: string | null = null;
  #owner: { readonly position: Position; readonly at: number } | null = null;
  /** When the present owner was last asked and both were level; null before the first time. */
  #levelAt: number | null = null;
  #followed: number | null = null;
  #orphans: number | null = null;

  constructor(name: IndexName, store: IndexStore) {
    this.name = name;
    this.store = store;
  }

  sawOwner(position: Position, at: number): void {
    this.#owner = { position, at };
  }

  get owner(): { readonly position: Position; readonly at: number } | null {
    return this.#owner;
  }

  /** Both were level when the owner of this epoch was asked at this moment (monotonic ms). */
  wasLevel(at: number, epoch: number): void {
    this.#levelAt = at;
    this.#followed = epoch;
  }

  /**
   * Time from the last moment at which this copy was level with the owner of this epoch to `at`;
   * null when it never was. Whatever it misses came to the owner in that time.
   */
  levelForMs(at: number, epoch: number): number | null {
    if (this.#levelAt === null || this.#followed !== epoch) return null;
    return Math.max(0, at - this.#levelAt);
  }

  /** Raises the index's epoch; writes nothing when it is there already. */
  async fence(epoch: number): Promise<void> {
    if ((await this.store.epoch()) < epoch) await this.store.fence(epoch);
  }

  async rewindTo(seq: number): Promise<number> {
    const before = await this.#countOrphans();
    const taken = await this.store.rewindTo(seq);
    this.#orphans = before + taken;
    return taken;
  }

  /** Never throws: an index that cannot be read is a state to be reported. */
  async state(now: number): Promise<IndexState> {
    const known = this.#owner;
    const restore = this.restoring.state;
    const common = {
      ...(restore === null ? {} : { restore }),
      index: this.name,
      ownerPosition: known?.position ?? null,
      ownerSeenAgoMs: known === null ? null : now - known.at,
    };
    try {
      const position = await this.store.position();
      const lag = known === null ? 0 : lagMs(position, known.position, this.#levelBefore(known));
      const orphans = await this.#countOrphans();
      const standing = await this.store.standing();
      const watermarks = await this.store.watermarks();
      const held = { position, lagMs: lag, orphans, standing, watermarks, readable: true };
      return { ...common, ...held, ...this.health.seen(now), error: this.error };
    } catch (error) {
      const lost = { position: EMPTY_POSITION, lagMs: 0, orphans: this.#orphans ?? 0 };
      return { ...common, ...lost, readable: false, error: messageOf(error) };
    }
  }

  #levelBefore({ at }: { readonly at: number }): number | null {
    return this.#followed === null ? null : this.levelForMs(at, this.#followed);
  }

  /** Read once: the list may be long, and only `rewindTo` makes it longer. */
  async #countOrphans(): Promise<number> {
    this.#orphans ??= (await this.store.orphans()).length;
    return this.#orphans;
  }
}
