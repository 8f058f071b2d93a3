import { messageOf } from "../lib/errors.ts";
import type { LocalIndex } from "./local-index.ts";
import { pull } from "./replicate.ts";
import type { Part } from "./ticker.ts";
import type { World } from "./world.ts";

/** One part an index: fenced when owned here, pulled when owned elsewhere. */
export function indexParts(world: World): Part[] {
  const { interval } = world.options.spec.detection;
  return [...world.indexes.values()].map((local) => ({
    name: `index ${local.name}`,
    everyMs: interval,
    work: () => keep(world, local),
  }));
}

async function keep(world: World, local: LocalIndex): Promise<void> {
  const { clock, region } = world.options;
  const ownership = world.book.of(local.name);
  if (ownership === null) return;
  try {
    // In every region: an agent that is replaced must refuse even what its own gateway process or
    // an older copy of itself would append under the former epoch.
    await local.writing.run(() => local.fence(ownership.epoch));
    if (ownership.region !== region) {
      await pull(world, local, clock.monotonic() + PULL_MS);
    }
    local.error = null;
  } catch (error) {
    local.error = messageOf(error);
    throw error;
  }
}

/** Longest turn of pulling: after it the ownership is looked at again. */
const PULL_MS = 10_000;
