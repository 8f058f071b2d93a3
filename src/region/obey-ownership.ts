import type { Ownership } from "../model/intent.ts";
import type { Position } from "../model/position.ts";
import type { World } from "./world.ts";

/**
 * Adopts an ownership that the store already holds, and gives the index's position under it: no
 * write of the former ownership can change it any more. Throws EPOCH_STALE on an older one.
 */
export async function obeyOwnership(world: World, told: Ownership): Promise<Position> {
  const local = world.index(told.index);
  // Before the lock is waited for: writes that already queue are asked again once they hold it, and
  // must find the new ownership then.
  const adopted = world.book.obey(told);
  return local.writing.run(async () => {
    await local.fence(adopted.epoch);
    return local.store.position();
  });
}
