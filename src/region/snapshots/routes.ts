import { z } from "zod";
import { TideoverError } from "../../lib/errors.ts";
import { releaseSchema } from "../../model/release.ts";
import { AGENT_PATHS } from "../../wire/headers.ts";
import { beginDrop, beginReindex } from "../reindex.ts";
import { type Asked, body, ofIndex, type Route } from "../route.ts";
import { asVectorModel } from "../whole-writes.ts";
import type { World } from "../world.ts";
import { placesOf } from "./places.ts";
import { findSnapshot, snapshotTags } from "./read.ts";
import { restoreCopy, restoreOwner } from "./restore.ts";
import { takeHere } from "./take-here.ts";

export const SNAPSHOT_ROUTES: readonly Route[] = [
  { method: "GET", path: ofIndex(AGENT_PATHS.snapshots), answer: listSnapshots },
  { method: "POST", path: ofIndex(AGENT_PATHS.snapshots), answer: take },
  { method: "GET", path: ofIndex(AGENT_PATHS.restore), answer: restoreState },
  { method: "POST", path: ofIndex(AGENT_PATHS.restore), answer: restore },
  { method: "GET", path: ofIndex(AGENT_PATHS.reindex), answer: reindexState },
  { method: "POST", path: ofIndex(AGENT_PATHS.reindex), answer: reindex },
];

async function take(world: World, { index }: Asked) {
  const { digest, tag, config, bytes, newBytes } = await takeHere(world, world.index(index));
  return { digest, tag, position: config.position, heat: config.heat.ranked, bytes, newBytes };
}

async function listSnapshots(world: World, { index }: Asked) {
  world.index(index);
  const { own } = placesOf(world);
  const found = [];
  for (const tag of await snapshotTags(own, index)) {
    const { digest, config, layers } = await findSnapshot(own, index, tag);
    const bytes = layers.reduce((sum, { size }) => sum + size, 0);
    const { position, epoch, records, heat } = config;
    found.push({ tag, digest, position, epoch, records, bytes, hits: heat.hits });
  }
  return { snapshots: found };
}

const restoreBody = z.object({
  /** At the owner only: which, and that what came after it may be lost. */
  snapshot: z.string().nullable().default(null),
  asOwner: z.boolean().default(false),
});

/** Begins it, and says so: it may take minutes. `GET` tells how far it is. */
async function restore(world: World, { index, request }: Asked) {
  const local = world.index(index);
  const { snapshot, asOwner } = await body(request, restoreBody);
  const owns = world.book.of(index)?.region === world.options.region;
  if (owns && !asOwner) throw ownsIt(world, index);
  const work = owns ? restoreOwner(world, local, snapshot) : restoreCopy(world, local, ASKED);
  work.catch(() => undefined);
  return { begun: true };
}

const ASKED = "somebody asked for it";

async function restoreState(world: World, { index }: Asked) {
  const { restoring, store } = world.index(index);
  return {
    restore: restoring.state,
    standing: await store.standing(),
    position: await store.position(),
    error: restoring.lastError,
  };
}

const reindexBody = z.object({
  /** Absent: as the active release embeds. */
  embedding: releaseSchema.shape.embedding,
  /** Takes this version away instead. */
  drop: z.string().min(1).optional(),
});

async function reindex(world: World, { index, request }: Asked) {
  const local = world.index(index);
  const { embedding, drop } = await body(request, reindexBody);
  if (drop !== undefined) return { reindex: await beginDrop(world, local, drop) };
  const model = embedding === undefined ? undefined : asVectorModel(embedding);
  return { reindex: beginReindex(world, local, model) };
}

async function reindexState(world: World, { index }: Asked) {
  return { reindex: world.index(index).reindexing.state };
}

function ownsIt(world: World, index: string): TideoverError {
  return new TideoverError(
    `${world.options.region} owns index "${index}": nobody has what came after a snapshot`,
    {
      code: "USAGE",
      next: "Move the ownership first, or say --as-owner if what came after the snapshot may be lost.",
    },
  );
}
