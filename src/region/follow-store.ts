import { z } from "zod";
import { type Ownership, ownershipSchema } from "../model/intent.ts";
import { KEYS } from "../model/keys.ts";
import { carriedReleaseSchema, signedSnapshotSchema } from "../model/snapshot.ts";
import type { StoreEntry } from "../ports/store.ts";
import { parseJson } from "./peer.ts";
import type { KnownSnapshot, World } from "./world.ts";

/**
 * Reads who owns what, and the newest snapshot. Throws STORE_UNAVAILABLE; what was known stays
 * known. A value that cannot be understood is left out, for it must not hide the others.
 */
export async function followStore(world: World): Promise<void> {
  const { store, clock } = world.options;
  const mark = world.book.beginRead(clock.monotonic());
  const ownerships = await store.list(KEYS.ownerships);
  world.book.learn(readOwnerships(ownerships), mark);
  const snapshot = readSnapshot(await store.get(KEYS.snapshot), world);
  // Numbers only grow: a read that arrives late must not put an older one back.
  if (snapshot !== null && snapshot.number >= (world.snapshot?.number ?? 0)) {
    world.snapshot = snapshot;
  }
}

function readOwnerships(entries: readonly StoreEntry[]): Ownership[] {
  return entries.flatMap(({ value }) => {
    const parsed = ownershipSchema.safeParse(value);
    return parsed.success ? [parsed.data] : [];
  });
}

/** The number may stand beside the envelope, too; the signed one inside is what counts. */
const envelopeSchema = z.object(signedSnapshotSchema.shape);
/** Without its parts, which may be long. Loose: one made of the strict shape would refuse them. */
const releaseSchema = z.object(carriedReleaseSchema.omit({ parts: true }).shape);
const payloadSchema = z.object({
  number: z.int(),
  regions: z.record(z.string(), z.object({ release: z.string() })),
  releases: z.record(z.string(), releaseSchema),
});

function readSnapshot(entry: StoreEntry | null, world: World): KnownSnapshot | null {
  const signed = envelopeSchema.safeParse(entry?.value);
  if (!signed.success) return null;
  // Read anew at each turn, and the same nearly always: a release may be long.
  if (world.snapshot?.signed.payload === signed.data.payload) return world.snapshot;
  const payload = payloadSchema.safeParse(parseJson(signed.data.payload));
  if (!payload.success) return null;
  const { number, regions, releases } = payload.data;
  const digest = regions[world.options.region]?.release;
  const carried = digest === undefined ? undefined : releases[digest];
  const release = digest === undefined || carried === undefined ? null : { digest, ...carried };
  return { signed: signed.data, number, release };
}
