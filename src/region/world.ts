import { TideoverError } from "../lib/errors.ts";
import type { IndexName, RegionName, WorkflowName } from "../model/ids.ts";
import type { Release } from "../model/release.ts";
import type { RegionReport } from "../model/signal.ts";
import type { OfferedRelease, SignedSnapshot } from "../model/snapshot.ts";
import type { IndexSpec, RegionSpec, WorkflowSpec } from "../model/spec.ts";
import type { BehaviourDifference } from "../wire/behaviour.ts";
import { GoldenBook } from "./golden-book.ts";
import { LocalIndex } from "./local-index.ts";
import type { AgentOptions } from "./options.ts";
import { OwnershipBook } from "./ownership.ts";
import { SignalRing } from "./signals.ts";

/** A release as the checks of this region look at it. */
export interface KnownRelease {
  readonly digest: string;
  readonly body: Release;
  /** Absent before the store was read for the first time. */
  readonly signatures?: OfferedRelease["signatures"];
}

/** The newest snapshot that the store held when it was last read. */
export interface KnownSnapshot {
  readonly signed: SignedSnapshot;
  readonly number: number;
  /** What this region shall serve under it; null in an estate without a release. */
  readonly release: KnownRelease | null;
}

export interface RememberedDifference {
  readonly release: string;
  readonly difference: BehaviourDifference;
  /** Monotonic ms. */
  readonly at: number;
}

/** What every part of one agent shares: its options, and what it has learnt. */
export class World {
  readonly options: AgentOptions;
  readonly observer: string;
  readonly book = new OwnershipBook();
  readonly indexes: ReadonlyMap<IndexName, LocalIndex>;
  readonly ring: SignalRing;
  readonly goldenBook = new GoldenBook();
  /** How each runtime target's log-probabilities differed when they were last asked for, by name. */
  readonly differences = new Map<string, RememberedDifference>();
  /** Told of an index whose standing has changed: what rests on it is looked at again at once. */
  readonly onStanding: ((index: IndexName) => Promise<void>)[] = [];
  /** Brings a copy back whole from elsewhere than range by range; null: there is no such way. */
  restore: ((local: LocalIndex, because: string) => Promise<void>) | null = null;
  /** Aborted when the agent closes. */
  readonly stop = new AbortController();
  snapshot: KnownSnapshot | null = null;
  /** What this region's gateway said at the last turn; null when it did not answer. */
  gateway: RegionReport["gateway"] = null;
  readonly #born: string;
  #ids = 0;
  #turns = 0;

  constructor(options: AgentOptions) {
    this.options = options;
    this.observer = `agent:${options.region}`;
    this.indexes = new Map(
      [...options.indexes].map(([name, store]) => [name, new LocalIndex(name, store)]),
    );
    this.ring = new SignalRing(this.observer, options.region, options.clock.now());
    this.#born = Math.trunc(options.clock.now()).toString(36);
  }

  /** An id that no other run of this agent has used: the audit log outlives the process. */
  newId(kind: string): string {
    this.#ids += 1;
    return `${kind}-${this.options.region}-${this.#born}-${this.#ids}`;
  }

  /** Whether a request's id is one that this region's agent made: a question of ours, not a caller's. */
  isOwnId(id: string): boolean {
    return /^(canary|readiness)-/.test(id) && id.includes(`-${this.options.region}-`);
  }

  /** Counts the readiness runs. */
  nextTurn(): number {
    this.#turns += 1;
    return this.#turns;
  }

  get regionSpec(): RegionSpec {
    const spec = this.options.spec.regions[this.options.region];
    if (spec !== undefined) return spec;
    throw notFound("region", this.options.region, this.options.spec.regions);
  }

  /** What this region shall serve: what the store says, and before it said anything, the folder. */
  get release(): KnownRelease | null {
    return this.snapshot === null ? this.options.release : this.snapshot.release;
  }

  get gatewayUrl(): string {
    return `http://${this.regionSpec.gateway}`;
  }

  /** Base URL of a region's agent; null when the spec gives it none. */
  agentUrl(region: RegionName): string | null {
    const address = this.options.spec.regions[region]?.agent;
    return address === undefined ? null : `http://${address}`;
  }

  index(name: IndexName): LocalIndex {
    const found = this.indexes.get(name);
    if (found !== undefined) return found;
    throw notFound("index", name, Object.fromEntries(this.indexes));
  }

  indexSpec(name: IndexName): IndexSpec | null {
    return this.options.spec.indexes[name] ?? null;
  }

  workflow(name: WorkflowName): WorkflowSpec {
    const found = this.options.spec.workflows[name];
    if (found !== undefined) return found;
    throw notFound("workflow", name, this.options.spec.workflows);
  }
}

function notFound(kind: string, name: string, known: object): TideoverError {
  const names = Object.keys(known).join(", ");
  return new TideoverError(`there is no ${kind} "${name}" here`, {
    code: "NOT_FOUND",
    next: names === "" ? `The spec has no ${kind} at all.` : `Known: ${names}.`,
  });
}
