import { gapAfter } from "../../core/reconcile/gap.ts";
import { TideoverError } from "../../lib/errors.ts";
import { askOwner } from "../ask-owner.ts";
import type { LocalIndex } from "../local-index.ts";
import type { World } from "../world.ts";
import { hitsOf } from "./hits.ts";
import { keptOf, placesOf } from "./places.ts";
import { retireSnapshots, type TakenSnapshot, takeSnapshot } from "./take.ts";

/**
 * Takes a snapshot of this region's copy into its own layout. Refuses a copy that may not answer,
 * and one that the owner's stream would not lead on from: nobody could be restored from it.
 */
export function takeHere(world: World, local: LocalIndex): Promise<TakenSnapshot> {
  return local.snapshotting.run(async () => {
    const { own } = placesOf(world);
    await mustBeWhole(local);
    await mustFollow(world, local);
    const replication = world.indexSpec(local.name)?.replication;
    const ranked = replication?.strategy === "hot-subset" ? await hitsOf(world, local) : new Map();
    const taken = await takeSnapshot({
      index: local.name,
      store: local.store,
      target: own,
      hits: ranked,
      digestKey: world.options.digestKeys?.get(local.name),
      signal: world.stop.signal,
    });
    await retireSnapshots(own, local.name, keptOf(world, local), local.restoring.inUse);
    const { digest, config, bytes, newBytes } = taken;
    world.options.logger.info(
      { index: local.name, snapshot: digest, seq: config.position.seq, bytes, newBytes },
      `${world.options.region} took a snapshot of ${local.name} at seq ${config.position.seq}`,
    );
    return taken;
  });
}

async function mustBeWhole({ name, store, restoring }: LocalIndex): Promise<void> {
  const standing = await store.standing();
  if (standing.kind === "whole" && !restoring.isUnderWay) return;
  const because = standing.kind === "quarantined" ? standing.because : "it is being restored";
  throw new TideoverError(
    `no snapshot is taken of a copy of "${name}" that answers nobody: ${because}`,
    {
      code: "INDEX_QUARANTINED",
      retry: "later",
      next: "Take it in another region, or when this copy has been accepted.",
    },
  );
}

async function mustFollow(world: World, { name, store }: LocalIndex): Promise<void> {
  const ownership = world.book.of(name);
  if (ownership === null || ownership.region === world.options.region) return;
  const position = await store.position();
  const { base, at, position: owner } = await askOwner(world, ownership, position.seq);
  const gap = gapAfter(position, { position: owner, base, at });
  if (gap === null) return;
  throw new TideoverError(`this copy of "${name}" does not follow its owner: ${gap}`, {
    code: "INDEX_DIVERGED",
    retry: "later",
    next: `Take it in ${ownership.region}, or when this copy has caught up.`,
  });
}
