import { setImmediate } from "node:timers/promises";
import { z } from "zod";
import { gapAfter } from "../../core/reconcile/gap.ts";
import { recordsForShare } from "../../core/reconcile/heat.ts";
import { messageOf, TideoverError } from "../../lib/errors.ts";
import type { Ownership } from "../../model/intent.ts";
import type { StoredRecord } from "../../model/record.ts";
import { AGENT_PATHS } from "../../wire/headers.ts";
import { copyArtifact } from "../artifacts/copy.ts";
import { readTree } from "../artifacts/tree.ts";
import { isVerdict, verifyTree } from "../artifacts/verify.ts";
import { askOwner } from "../ask-owner.ts";
import type { LocalIndex } from "../local-index.ts";
import type { SnapshotPlaces } from "../options.ts";
import { askJson } from "../peer.ts";
import type { World } from "../world.ts";
import { keptOf, placesOf } from "./places.ts";
import { type FoundSnapshot, findSnapshot, snapshotRecords, snapshotTags } from "./read.ts";
import { retireSnapshots } from "./take.ts";

/** Records that are written between two looks at the rest of the world. */
const SLICE = 1_000;
/** For a snapshot that the owner takes for us. */
const TAKE_MS = 600_000;

/** Standing of a copy from the end of its restore until its acceptance. */
export const UNPROVEN = "it was restored from a snapshot, and is not yet proven";

/**
 * Replaces this region's copy by a snapshot from which the owner's stream goes on: the newest good
 * one that lies here, else one that the owner takes now. Joins a restore that is under way.
 *
 * Nothing of it is seen before it is whole (`IndexStore.restore`), unless the spec lets the hot part
 * answer; and at its end the copy is quarantined in the same turn, so that it answers nobody before
 * it was accepted. Killed anywhere, the next turn of the agent finds the same move to be made.
 */
export function restoreCopy(world: World, local: LocalIndex, because: string): Promise<void> {
  const { clock, logger, region } = world.options;
  return local.restoring.run(
    async () => {
      const places = placesOf(world);
      const ownership = world.book.of(local.name);
      if (ownership === null || ownership.region === region) throw noOwner(world, local);
      logger.warn(
        { index: local.name },
        `${region} restores its copy of ${local.name}: ${because}`,
      );
      const found = await usable(world, local, ownership, places);
      await load(world, local, places, found, ownership);
      const { digest, config } = found;
      await retireSnapshots(places.own, local.name, keptOf(world, local), new Set([digest]));
      logger.info(
        { index: local.name, snapshot: digest, seq: config.position.seq, records: config.records },
        `${region} has restored ${local.name} to seq ${config.position.seq}; it follows ${ownership.region} from there`,
      );
    },
    () => clock.monotonic(),
  );
}

/**
 * The owner's own copy by a snapshot of its own: what was written after it is lost for good, unless
 * another region has it. For a person who has decided that.
 */
export function restoreOwner(world: World, local: LocalIndex, ref: string | null): Promise<void> {
  const { clock } = world.options;
  return local.restoring.run(
    async () => {
      const places = placesOf(world);
      const [newest] = await snapshotTags(places.own, local.name);
      const wanted = ref ?? newest;
      if (wanted === undefined) throw nothingHere(local);
      const found = await findSnapshot(places.own, local.name, wanted);
      // Nothing is taken in meanwhile: it would be acknowledged, and gone.
      const leave = await local.writing.enter();
      try {
        await load(world, local, places, found, null);
      } finally {
        leave();
      }
    },
    () => clock.monotonic(),
  );
}

/** Throws what the owner throws when nothing here fits, and it cannot give one either. */
async function usable(
  world: World,
  local: LocalIndex,
  ownership: Ownership,
  places: SnapshotPlaces,
): Promise<FoundSnapshot> {
  for (const tag of await snapshotTags(places.own, local.name)) {
    const found = await soundOne(world, local, ownership, places, tag);
    if (found !== null) return found;
  }
  return fromOwner(world, local, ownership, places);
}

/** null when it is damaged, or the owner's stream does not go on from it; the log says which. */
async function soundOne(
  world: World,
  local: LocalIndex,
  ownership: Ownership,
  places: SnapshotPlaces,
  tag: string,
): Promise<FoundSnapshot | null> {
  const pass = (why: string): null => {
    world.options.logger.warn({ index: local.name, tag }, `${tag} is passed over: ${why}`);
    return null;
  };
  try {
    const found = await findSnapshot(places.own, local.name, tag);
    const gap = await gapOf(world, ownership, found);
    if (gap !== null) return pass(gap);
    // All of it, before the first record is loaded: a fault in the last layer costs a whole restore.
    const { bad } = await verifyTree(
      places.own,
      await readTree(places.own, found.digest),
      world.stop.signal,
    );
    if (bad.length === 0) return found;
    await mendFrom(world, ownership, places, found, tag, new Set(bad.map(({ digest }) => digest)));
    return found;
  } catch (error) {
    if (isVerdict(error) || isDamage(error)) return pass(messageOf(error));
    throw error;
  }
}

async function gapOf(
  world: World,
  ownership: Ownership,
  { config }: FoundSnapshot,
): Promise<string | null> {
  const { position, base, at } = await askOwner(world, ownership, config.position.seq);
  return gapAfter(config.position, { position, base, at });
}

function isDamage(error: unknown): boolean {
  return error instanceof TideoverError && error.code === "INDEX_CORRUPT";
}

/** Only what was found to be wrong is copied again. */
async function mendFrom(
  world: World,
  ownership: Ownership,
  places: SnapshotPlaces,
  { digest }: FoundSnapshot,
  tag: string,
  again: ReadonlySet<string>,
): Promise<void> {
  const source = places.of(ownership.region);
  if (source === null) throw noSource(ownership);
  await copyArtifact({ ...copying(world, places), source, ref: digest, tag, again });
}

async function fromOwner(
  world: World,
  local: LocalIndex,
  ownership: Ownership,
  places: SnapshotPlaces,
): Promise<FoundSnapshot> {
  const source = places.of(ownership.region);
  const base = world.agentUrl(ownership.region);
  if (source === null || base === null) throw noSource(ownership);
  const { tag } = await askJson(world.options.probe, {
    url: `${base}${AGENT_PATHS.snapshots(local.name)}`,
    method: "POST",
    headers: { authorization: `Bearer ${world.options.token}` },
    body: {},
    timeoutMs: TAKE_MS,
    schema: z.object({ tag: z.string() }),
    who: `the agent of ${ownership.region}`,
  });
  await copyArtifact({ ...copying(world, places), source, ref: tag });
  const found = await findSnapshot(places.own, local.name, tag);
  const gap = await gapOf(world, ownership, found);
  if (gap === null) return found;
  throw new TideoverError(
    `${tag}, which ${ownership.region} has just taken, does not fit: ${gap}`,
    {
      code: "INDEX_DIVERGED",
      retry: "later",
      next: `Look at the index of ${ownership.region}: \`tideover index status\`.`,
    },
  );
}

/** What every copy of a snapshot into this region has in common. */
export function copying(world: World, { own }: SnapshotPlaces) {
  const { clock } = world.options;
  const { signal } = world.stop;
  return { target: own, signal, pause: (ms: number) => clock.sleep(ms, signal) };
}

/** `from`: who must still own the index at the end, when it replaces the copy under the writers' lock. */
async function load(
  world: World,
  local: LocalIndex,
  { own }: SnapshotPlaces,
  found: FoundSnapshot,
  from: Ownership | null,
): Promise<void> {
  local.restoring.begins(found);
  const held: (() => void)[] = [];
  async function* records(): AsyncGenerator<readonly StoredRecord[], void, undefined> {
    for await (const slice of slicesOf(snapshotRecords(own, found))) {
      world.stop.signal.throwIfAborted();
      if (from !== null) mustStillOwn(world, local, from);
      yield slice;
      local.restoring.hasLoaded(slice.length);
      await setImmediate();
    }
    // What follows is the replacement itself. An ownership that is told meanwhile waits for it, and
    // one that was told before ends it: nobody is promoted with a copy that is about to change.
    if (from !== null) {
      held.push(await local.writing.enter());
      mustStillOwn(world, local, from);
    }
    await local.store.quarantine(UNPROVEN);
  }
  try {
    const { position, epoch, watermarks } = found.config;
    const hot = hotRecords(world, local, found);
    await local.store.restore({ position, epoch, watermarks, records: records(), ...hot });
  } finally {
    for (const leave of held) leave();
  }
}

async function* slicesOf(pages: AsyncIterable<readonly StoredRecord[]>) {
  for await (const page of pages) {
    for (let at = 0; at < page.length; at += SLICE) yield page.slice(at, at + SLICE);
  }
}

/** How many records are to answer before the others are in; nothing when none may. */
function hotRecords(world: World, { name }: LocalIndex, { config }: FoundSnapshot) {
  const replication = world.indexSpec(name)?.replication;
  if (replication?.strategy !== "hot-subset" || !replication.serveHot) return {};
  const hot = recordsForShare(config.heat, replication.hotShare);
  return hot === 0 ? {} : { hot };
}

function mustStillOwn(world: World, local: LocalIndex, from: Ownership): void {
  const now = world.book.of(local.name);
  if (now?.epoch === from.epoch && now.region === from.region) return;
  throw new TideoverError(
    `index "${local.name}" moved from ${from.region} to ${now?.region} during a restore`,
    { code: "EPOCH_STALE", retry: "now" },
  );
}

function noOwner(world: World, { name }: LocalIndex): TideoverError {
  return new TideoverError(
    `${world.options.region} has nobody to follow after a restore of "${name}": it owns it, or nobody is known to`,
    {
      code: "NOT_READY",
      next: "Move the ownership first (`tideover failover`), or accept the loss of what came after the snapshot with --as-owner.",
    },
  );
}

function noSource({ region }: Ownership): TideoverError {
  return new TideoverError(`the spec gives ${region} no agent to copy a snapshot from`, {
    code: "PEER_UNAVAILABLE",
    next: "Add `agent: host:port` to that region.",
  });
}

function nothingHere({ name }: LocalIndex): TideoverError {
  return new TideoverError(`this region has no snapshot of index "${name}"`, {
    code: "ARTIFACT_MISSING",
    next: `\`tideover index snapshot --index ${name}\` takes one.`,
  });
}
