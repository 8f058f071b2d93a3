import { TideoverError } from "../../lib/errors.ts";
import { snapshotsOf } from "../../model/replication.ts";
import type { LocalIndex } from "../local-index.ts";
import type { SnapshotPlaces } from "../options.ts";
import type { World } from "../world.ts";

/** Where snapshots are taken to and restored from. Throws NOT_READY for an agent without any. */
export function placesOf(world: World): SnapshotPlaces {
  const { snapshots } = world.options;
  if (snapshots !== undefined) return snapshots;
  throw new TideoverError("this agent was given no place for snapshots", {
    code: "NOT_READY",
    next: "Start it with `tideover agent`, which gives it one.",
  });
}

const DEFAULT_KEPT = 3;

/** How many snapshots of an index a region keeps, also where none are taken unasked. */
export function keptOf(world: World, { name }: LocalIndex): number {
  const replication = world.indexSpec(name)?.replication;
  return (replication === undefined ? null : snapshotsOf(replication))?.keep ?? DEFAULT_KEPT;
}
