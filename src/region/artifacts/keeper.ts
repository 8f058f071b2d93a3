import { messageOf, TideoverError } from "../../lib/errors.ts";
import { isReferringTag } from "../../model/artifact-parts.ts";
import type { ArtifactStatus } from "../../model/artifact-status.ts";
import type { HeldRelease } from "../../ports/agents.ts";
import type { ArtifactSource, ArtifactStore } from "../../ports/artifacts.ts";
import type { Clock } from "../../ports/clock.ts";
import { copyArtifact, keptTag } from "./copy.ts";
import { type Holding, heldArtifact, newHolding } from "./holding.ts";
import { requireModels } from "./models.ts";
import { RateMeter } from "./progress.ts";
import { type ArtifactTree, readReferrers, readTree } from "./tree.ts";
import { isVerdict, verifyTree } from "./verify.ts";

export interface KeeperOptions {
  readonly source: ArtifactSource;
  /** Where the source is, for people. */
  readonly from: string;
  /** This region's own copies. Others may write there, too. */
  readonly store: ArtifactStore;
  readonly clock: Clock;
  readonly parallel?: number | undefined;
  /** Digests that must stay, whatever the source says; null when nobody can say: then all stay. */
  readonly inUse: () => Promise<readonly string[] | null>;
}

/** What nobody names stays so long: another process may be about to name it. */
const COLLECT_AFTER_MS = 24 * 3_600_000;

/**
 * Keeps a region's copies level with a source, ahead of need: every artifact that the source has a
 * tag for is copied, compared, and kept under its digest. A tag that moves takes nothing away before
 * the artifact that it named is neither named by the source nor in use.
 *
 * One copy runs at a time: two would share the line, and both be late.
 */
export class ArtifactKeeper {
  readonly #options: KeeperOptions;
  readonly #holdings = new Map<string, Holding>();
  readonly #stop = new AbortController();
  #line: Promise<unknown> = Promise.resolve();
  readonly #under = new Map<string, Promise<void>>();
  #sourceError: string | null = null;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /**
   * One turn of the agent's loop: looks at what the source names, copies what is not here, compares
   * what was here before this process began, and collects. Rejects with the first error, after all
   * of it was tried.
   */
  async keepUp(): Promise<void> {
    const wanted = await this.#wanted();
    const errors: unknown[] = [];
    for (const [digest, names] of wanted) {
      const holding = this.#holding(digest);
      holding.names = names;
      // Also what is here: somebody may have signed it since.
      const level = this.#bring(digest).then(() => this.#inTurn(() => this.#pull(holding)));
      await level.catch((error: unknown) => errors.push(error));
    }
    if (errors.length > 0) throw errors[0];
    await this.#collect([...wanted.keys()]);
  }

  /** Copies what is missing, for at most that long, and says how far it is. It goes on afterwards. */
  async fetch(digest: string, timeoutMs: number): Promise<HeldRelease> {
    const { clock } = this.#options;
    const waited = new AbortController();
    const brought = this.#bring(digest).then(() => true);
    const over = clock.sleep(timeoutMs, waited.signal).then(() => false);
    try {
      const complete = await Promise.race([brought, over]);
      return { complete, detail: this.#detail(digest) };
    } finally {
      waited.abort();
      brought.catch(() => undefined);
    }
  }

  /** Compares every byte of this region's own copy, asking nobody. Throws ARTIFACT_CORRUPT, …MISSING. */
  async verify(digest: string): Promise<HeldRelease> {
    await this.#compare(this.#holding(digest));
    return { complete: true, detail: this.#detail(digest) };
  }

  async status(): Promise<ArtifactStatus> {
    const { store, from } = this.#options;
    const freeBytes = await store.freeBytes().catch(() => null);
    const artifacts = [...this.#holdings.values()].map(heldArtifact);
    return { source: from, error: this.#sourceError, freeBytes, artifacts };
  }

  /** Gives up what is under way; what has come is kept. Closes neither place. */
  async close(): Promise<void> {
    this.#stop.abort(new TideoverError("the agent stops", { code: "INTERRUPTED" }));
    await Promise.allSettled([this.#line, ...this.#under.values()]);
  }

  /** Digests that the source names, each with its tags. */
  async #wanted(): Promise<Map<string, string[]>> {
    const { source } = this.#options;
    try {
      const wanted = new Map<string, string[]>();
      for (const tag of (await source.tags()).filter((one) => !isReferringTag(one))) {
        const digest = (await source.manifest(tag))?.digest;
        if (digest !== undefined) wanted.set(digest, [...(wanted.get(digest) ?? []), tag]);
      }
      this.#sourceError = null;
      return wanted;
    } catch (error) {
      this.#sourceError = messageOf(error);
      throw error;
    }
  }

  #holding(digest: string): Holding {
    const known = this.#holdings.get(digest) ?? newHolding(digest);
    this.#holdings.set(digest, known);
    return known;
  }

  /** Copied and compared; at once when it is. Two who ask for one artifact share the work. */
  #bring(digest: string): Promise<void> {
    const holding = this.#holding(digest);
    if (holding.verifiedAt !== null && holding.error === null) return Promise.resolve();
    const under = this.#under.get(digest);
    if (under !== undefined) return under;
    const bringing = this.#inTurn(async () => {
      if (await this.#isHere(holding)) return;
      await this.#pull(holding);
      await this.#compare(holding);
    }).finally(() => this.#under.delete(digest));
    this.#under.set(digest, bringing);
    return bringing;
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#line.then(() => {
      this.#stop.signal.throwIfAborted();
      return work();
    });
    this.#line = turn.catch(() => undefined);
    return turn;
  }

  /** By a look at this region alone: a release that is here is served with every source gone. */
  async #isHere(holding: Holding): Promise<boolean> {
    try {
      if ((await this.#options.store.manifest(keptTag(holding.digest))) === null) return false;
      await this.#compare(holding);
      return true;
    } catch (error) {
      if (isVerdict(error)) return false;
      throw error;
    }
  }

  async #pull(holding: Holding): Promise<void> {
    const { source, store, clock, parallel } = this.#options;
    const signal = this.#stop.signal;
    try {
      holding.error = null;
      const report = await copyArtifact({
        ...{ source, target: store, ref: holding.digest, parallel, signal, again: holding.bad },
        pause: (ms) => clock.sleep(ms, signal),
        onPlan: ({ bytes }) => {
          holding.plan = bytes;
          holding.meter = new RateMeter(() => clock.monotonic());
        },
        onBytes: (bytes) => holding.meter?.add(bytes),
      });
      holding.referrers = report.referrers;
    } catch (error) {
      if (!signal.aborted) holding.error = messageOf(error);
      holding.meter = null;
      throw error;
    }
  }

  /** By this region's own bytes alone: what streamed past while it came is not what the disk has. */
  async #compare(holding: Holding): Promise<void> {
    const { store, clock } = this.#options;
    const tree = await readTree(store, holding.digest);
    this.#requireModels(holding, tree);
    const referrers = await readReferrers(store, tree);
    const blobs = [tree, ...referrers.map((one) => one.tree)].flatMap((one) => one.blobs);
    holding.blobs = [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
    const { good, bad } = await verifyTree(store, { blobs: holding.blobs }, this.#stop.signal);
    holding.verified = new Set(good);
    holding.bad = new Set(bad.map(({ digest }) => digest));
    holding.complete = bad.length === 0;
    holding.verifiedAt = bad.length === 0 ? clock.now() : null;
    holding.referrers = referrers.map((one) => one.tree.root.digest).sort();
    if (bad.length === 0) holding.error = null;
    const [first] = bad;
    if (first === undefined) return;
    holding.error = first.because;
    throw new TideoverError(first.because, {
      code: "ARTIFACT_CORRUPT",
      retry: "later",
      next: "The agent copies it again by itself; look at this region's disk.",
    });
  }

  #requireModels(holding: Holding, tree: ArtifactTree): void {
    try {
      requireModels(tree);
    } catch (error) {
      holding.error = messageOf(error);
      throw error;
    }
  }

  async #collect(wanted: readonly string[]): Promise<void> {
    const { store, inUse } = this.#options;
    const used = await inUse();
    if (used === null) return;
    const kept = new Set([...wanted, ...used].map(keptTag));
    for (const tag of await store.tags()) {
      if (tag.startsWith("kept-") && !kept.has(tag)) await this.#letGo(tag);
    }
    for (const digest of await store.unreachable(COLLECT_AFTER_MS)) await store.remove(digest);
  }

  async #letGo(tag: string): Promise<void> {
    await this.#options.store.remove(tag);
    this.#holdings.delete(tag.replace("kept-", "sha256:"));
  }

  #detail(digest: string): string {
    const { state, bytes, remainingMs, error } = heldArtifact(this.#holding(digest));
    if (error !== null) return error;
    if (bytes === null) return `${digest}: ${state}, and its size is not known yet`;
    const left = remainingMs === null ? "" : `, ${Math.ceil(remainingMs / 1_000)} s left`;
    return `${digest}: ${state}, ${bytes.total - bytes.missing} of ${bytes.total} bytes${left}`;
  }
}
