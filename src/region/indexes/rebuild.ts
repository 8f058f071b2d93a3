import type { LocalIndex } from "../local-index.ts";
import type { World } from "../world.ts";

const PAGE = 500;

/**
 * Builds what a replica's engine searches by anew, out of the copy's own records, which have just
 * been looked at and are whole. Gives what was done, in one sentence. Its log then begins at its
 * position, so that nobody who is further behind could follow it: an owner is never rebuilt here.
 */
export async function rebuild(world: World, local: LocalIndex, because: string): Promise<string> {
  if (world.restore !== null) {
    await world.restore(local, because);
    return `${because}; restored, and its graph with it`;
  }
  // Nothing is pulled meanwhile: what came after the snapshot would be lost with the old contents.
  return local.pulling.run(async () => {
    const snapshot = await local.store.openSnapshot();
    try {
      const { position, epoch, watermarks } = snapshot;
      const records = snapshot.records(PAGE);
      await local.store.restore({ position, epoch, watermarks, records });
      return `${because}; its ${position.count} records were written anew`;
    } finally {
      await snapshot.close();
    }
  });
}
