import { messageOf } from "../lib/errors.ts";
import type { LocalIndex } from "./local-index.ts";
import { followStream } from "./pull-pages.ts";
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
  try {
    while (await follow(world, local));
  } catch (error) {
    local.error = messageOf(error);
    throw error;
  }
}

/** Gives whether it is to be gone on with at once. */
async function follow(world: World, local: LocalIndex): Promise<boolean> {
  const { clock, region } = world.options;
  const ownership = world.book.of(local.name);
  if (ownership === null) return false;
  // In every region: an agent that is replaced must refuse even what its own gateway process or
  // an older copy of itself would append under the former epoch.
  await local.writing.run(() => local.fence(ownership.epoch));
  const until = clock.monotonic() + PULL_MS;
  const pulled = ownership.region === region ? null : await pull(world, local, until);
  const mended = local.error !== null;
  local.error = null;
  // A turn that mended something ends, so that it is told.
  if (pulled === null || !pulled.level || mended) return false;
  return followStream(world, local, ownership, pulled.own, until);
}

/** Longest turn of pulling: after it the ownership is looked at again. */
const PULL_MS = 10_000;
