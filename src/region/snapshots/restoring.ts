import { shareServable } from "../../core/reconcile/heat.ts";
import { messageOf } from "../../lib/errors.ts";
import type { RestoreState } from "../../model/restore.ts";
import type { FoundSnapshot } from "./read.ts";

/** A failed restore is tried again after this, in ms: its cause seldom goes sooner. */
const REST_MS = 10_000;

/** What is known of the restore of one copy. At most one is under way. */
export class Restoring {
  #found: FoundSnapshot | null = null;
  #loaded = 0;
  #count = 0;
  #under: Promise<void> | null = null;
  #failure: { readonly error: unknown; readonly at: number } | null = null;

  /** How many have ended: what was read of a copy before one did is not true any more. */
  get count(): number {
    return this.#count;
  }

  get isUnderWay(): boolean {
    return this.#under !== null;
  }

  /** Digest of the snapshot that is being read: it is not let go of. */
  get inUse(): ReadonlySet<string> {
    return new Set(this.#found === null ? [] : [this.#found.digest]);
  }

  get state(): RestoreState | null {
    if (this.#under === null) return null;
    if (this.#found === null) return { snapshot: null, loaded: 0, total: 0, servable: null };
    const { digest, config } = this.#found;
    const servable = shareServable(config.heat, this.#loaded);
    return { snapshot: digest, loaded: this.#loaded, total: config.records, servable };
  }

  /** Why the last one failed, for as long as it is not to be tried again. */
  failure(now: number): unknown {
    const failed = this.#failure;
    return failed === null || now - failed.at > REST_MS ? null : failed.error;
  }

  get lastError(): string | null {
    return this.#failure === null ? null : messageOf(this.#failure.error);
  }

  begins(found: FoundSnapshot): void {
    this.#found = found;
    this.#loaded = 0;
  }

  hasLoaded(records: number): void {
    this.#loaded += records;
  }

  /** Joins the one that is under way, if there is one. */
  run(work: () => Promise<void>, now: () => number): Promise<void> {
    this.#under ??= this.#runOne(work, now).finally(() => {
      this.#under = null;
      this.#found = null;
      this.#count += 1;
    });
    return this.#under;
  }

  /** When none is under way any more, however it ended. */
  async ended(): Promise<void> {
    await this.#under?.catch(() => undefined);
  }

  async #runOne(work: () => Promise<void>, now: () => number): Promise<void> {
    this.#failure = null;
    try {
      await work();
    } catch (error) {
      this.#failure = { error, at: now() };
      throw error;
    }
  }
}
