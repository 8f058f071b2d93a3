import { readSnapshotTag } from "../../core/reconcile/snapshot.ts";
import { trimTo } from "../../core/reconcile/trim.ts";
import { KEYS } from "../../model/keys.ts";
import { type ReplicationSpec, snapshotsOf } from "../../model/replication.ts";
import { regionReportSchema } from "../../model/signal.ts";
import { copyArtifact } from "../artifacts/copy.ts";
import type { LocalIndex } from "../local-index.ts";
import type { SnapshotPlaces } from "../options.ts";
import type { Part } from "../ticker.ts";
import type { World } from "../world.ts";
import { snapshotTags } from "./read.ts";
import { copying } from "./restore.ts";
import { retireSnapshots } from "./take.ts";
import { takeHere } from "./take-here.ts";

/** Between two looks at what there is to take, copy and let go of, at most. */
const LOOK_MS = 15_000;

type Kept = NonNullable<ReturnType<typeof snapshotsOf>>;

/** One part an index whose spec wants snapshots: taken where it is owned, copied everywhere else. */
export function snapshotParts(world: World): Part[] {
  const { snapshots, spec } = world.options;
  if (snapshots === undefined) return [];
  return [...world.indexes.values()].flatMap((local) => {
    const replication: ReplicationSpec | undefined = spec.indexes[local.name]?.replication;
    const kept = replication === undefined ? null : snapshotsOf(replication);
    if (kept === null) return [];
    const keeper = new SnapshotKeeper(world, local, snapshots, kept);
    const everyMs = Math.min(kept.every, LOOK_MS);
    return [{ name: `snapshots of ${local.name}`, everyMs, work: () => keeper.keepUp() }];
  });
}

/** What was last heard of another region's copy. */
interface Heard {
  readonly report: number;
  readonly seq: number;
  /** When it said something new, by our clock: those of two machines are not compared. */
  readonly at: number;
}

/** Keeps a region's snapshots of one index: taken, copied ahead of need, let go of; and its log short. */
class SnapshotKeeper {
  readonly #world: World;
  readonly #local: LocalIndex;
  readonly #places: SnapshotPlaces;
  readonly #kept: Kept;
  readonly #heard = new Map<string, Heard>();
  #takenAt: number | null = null;

  constructor(world: World, local: LocalIndex, places: SnapshotPlaces, kept: Kept) {
    this.#world = world;
    this.#local = local;
    this.#places = places;
    this.#kept = kept;
  }

  async keepUp(): Promise<void> {
    const owner = this.#world.book.of(this.#local.name);
    if (owner === null || this.#local.restoring.isUnderWay) return;
    if (owner.region === this.#world.options.region) await this.#takeWhenDue();
    else await this.#copyFrom(owner.region);
    await this.#retire();
    await this.#trim();
  }

  async #takeWhenDue(): Promise<void> {
    const { clock } = this.#world.options;
    const [newest] = await snapshotTags(this.#places.own, this.#local.name);
    const { seq } = await this.#local.store.position();
    const isNew = seq > 0 && (newest === undefined || readSnapshotTag(newest)?.seq !== seq);
    const now = clock.monotonic();
    const rested = this.#takenAt === null || now - this.#takenAt >= this.#kept.every;
    if (!isNew || !rested) return;
    await takeHere(this.#world, this.#local);
    this.#takenAt = now;
  }

  /** The newest first: it is the one that is wanted when its region dies in the middle. */
  async #copyFrom(region: string): Promise<void> {
    const source = this.#places.of(region);
    if (source === null) return;
    const tags = await snapshotTags(source, this.#local.name);
    for (const tag of tags.slice(0, this.#kept.keep)) {
      if ((await this.#places.own.manifest(tag)) !== null) continue;
      await this.#local.snapshotting.run(() =>
        copyArtifact({ ...copying(this.#world, this.#places), source, ref: tag, tag }),
      );
    }
  }

  #retire(): Promise<string[]> {
    const { name, restoring, snapshotting } = this.#local;
    return snapshotting.run(() =>
      retireSnapshots(this.#places.own, name, this.#kept.keep, restoring.inUse),
    );
  }

  async #trim(): Promise<void> {
    const { name, store, writing } = this.#local;
    const oldest = (await snapshotTags(this.#places.own, name)).at(-1);
    const to = trimTo({
      oldest: oldest === undefined ? null : (readSnapshotTag(oldest)?.seq ?? null),
      others: await this.#others(),
      patienceMs: this.#kept.every * this.#kept.keep,
    });
    if (to > (await store.base())) await writing.run(() => store.trimLog(to));
  }

  /** Where the other regions' copies stood when they last reported. */
  async #others(): Promise<{ seq: number; silentMs: number }[]> {
    const { spec, region, clock } = this.#world.options;
    const now = clock.monotonic();
    const others = Object.entries(spec.regions).filter(
      ([other, { agent, components }]) =>
        other !== region && agent !== undefined && components.index !== undefined,
    );
    for (const [other] of others) await this.#hear(other, now);
    return others.map(([other]) => {
      const { seq, at } = this.#heard.get(other) ?? { seq: 0, at: now };
      return { seq, silentMs: now - at };
    });
  }

  async #hear(other: string, now: number): Promise<void> {
    const entry = await this.#world.options.store.get(KEYS.report(`agent:${other}`));
    const report = regionReportSchema.safeParse(entry?.value).data;
    const state = report?.indexes.find(({ index }) => index === this.#local.name);
    const known = this.#heard.get(other);
    const said = report?.seq ?? 0;
    // A region that never said anything is waited for from our first look on.
    if (known !== undefined && known.report === said) return;
    this.#heard.set(other, { report: said, seq: state?.position.seq ?? 0, at: now });
  }
}
