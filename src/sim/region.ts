import { digestOf } from "../lib/canonical.ts";
import { TideoverError } from "../lib/errors.ts";
import type { Ownership } from "../model/intent.ts";
import type { GoldenScore } from "../model/outcomes.ts";
import { EMPTY_POSITION, type Position } from "../model/position.ts";
import type { Snapshot } from "../model/snapshot.ts";

/** One region's copy of an index: the ids of its changes, in source order. */
export class SimIndexCopy {
  readonly name: string;
  changes: string[] = [];
  orphans: string[] = [];
  ownership: Ownership | null = null;
  /** Why nobody is answered from this copy; null when it is sound. */
  quarantined: string | null = null;
  /** Source time that its pipeline has vouched for; it goes with the changes. */
  watermark = 0;

  constructor(name: string) {
    this.name = name;
  }

  position(): Position {
    if (this.changes.length === 0) return EMPTY_POSITION;
    const seq = this.changes.length;
    // Two copies of one length are equal only if they hold the same changes in the same order.
    const digest = digestOf(this.changes).slice("sha256:".length, "sha256:".length + 32);
    return { seq, digest, sourceTime: seq * 1_000, count: seq };
  }

  /** As the real agent: a lower epoch than the highest seen is refused, whoever brings it. */
  obey(ownership: Ownership): void {
    const known = this.ownership?.epoch ?? 0;
    if (ownership.epoch < known) {
      throw new TideoverError(`${this.name}: epoch ${ownership.epoch} is below ${known}`, {
        code: "EPOCH_STALE",
      });
    }
    this.ownership = ownership;
  }

  /** Takes the owner's changes; what only this copy has is kept apart, never lost. */
  follow(owner: SimIndexCopy): void {
    const fork = this.changes.findIndex((change, at) => owner.changes[at] !== change);
    if (fork !== -1) this.orphans.push(...this.changes.splice(fork));
    this.changes = [...owner.changes];
    this.watermark = owner.watermark;
  }
}

/** One region: what its gateway serves, what its indexes hold, and what has happened to it. */
export class SimRegion {
  readonly name: string;
  /** `dead`: connections are refused. `stopped`: they are accepted and never answered. */
  state: "up" | "dead" | "stopped" = "up";
  /** Since when no model here answers, on the monotonic clock; null while they do. */
  modelsLostAt: number | null = null;
  /** The snapshot on the gateway's disk: it outlives the process. */
  snapshot: Snapshot | null = null;
  /** Told of every snapshot that its gateway adopts. */
  onAdopt: ((snapshot: Snapshot) => void) | null = null;
  lastError: string | null = null;
  /** Told of every canary that this region answers itself. */
  onCanary: (() => void) | null = null;
  /** Releases of which the region has a copy, and those that its trust root refuses, with why. */
  readonly fetched = new Set<string>();
  readonly refuses = new Map<string, string>();
  /** The same for its gateway alone: what only shows when it is to be served. */
  readonly gatewayRefuses = new Map<string, string>();
  /** Which golden questions it answers rightly with a release; it is asked those that it serves. */
  readonly golden = new Map<string, GoldenScore>();
  readonly indexes: ReadonlyMap<string, SimIndexCopy>;
  /** Why the region is not ready, by workflow; absent: ready. */
  readonly unready = new Map<string, string>();
  /** Every order that this region's agent obeyed. */
  readonly obeyed: Ownership[] = [];
  readonly #served = new Set<string>();
  #resumed: (() => void)[] = [];

  constructor(name: string, indexes: readonly string[]) {
    this.name = name;
    this.indexes = new Map(indexes.map((index) => [index, new SimIndexCopy(index)]));
  }

  index(name: string): SimIndexCopy {
    const copy = this.indexes.get(name);
    if (copy === undefined) throw new Error(`region ${this.name} has no index ${name}`);
    return copy;
  }

  /** As the real gateway: only a newer one, and only with a release that it can verify. */
  offer(snapshot: Snapshot): void {
    if (snapshot.number <= (this.snapshot?.number ?? 0)) return;
    const release = snapshot.regions[this.name]?.release ?? "none";
    const refused = this.refuses.get(release) ?? this.gatewayRefuses.get(release);
    this.lastError = refused === undefined ? null : `release ${release}: ${refused}`;
    if (refused !== undefined) return;
    this.snapshot = snapshot;
    this.#served.add(release);
    this.onAdopt?.(snapshot);
  }

  /** Of the releases that it has served; before it serves one, nobody can ask it. */
  goldenScores(): GoldenScore[] {
    return [...this.golden.values()].filter(({ release }) => this.#served.has(release));
  }

  resume(): void {
    this.state = "up";
    for (const go of this.#resumed.splice(0)) go();
  }

  untilResumed(): Promise<void> {
    return new Promise((resolve) => this.#resumed.push(resolve));
  }

  /** A pipeline's write: accepted only by the owner, and only while it is not frozen. */
  write(index: string, change: string): boolean {
    const copy = this.index(index);
    const { ownership } = copy;
    if (this.state !== "up" || ownership?.region !== this.name || ownership.frozen) return false;
    copy.changes.push(change);
    return true;
  }
}
