import { z } from "zod";
import { carriedReleaseSchema } from "./snapshot.ts";

/** A release that the estate knows and may activate: nothing else is needed to serve it. */
export const knownReleaseSchema = z.strictObject({
  digest: z.string(),
  ...carriedReleaseSchema.shape,
  /** Number that its signature bears, against a downgrade; null for an unsigned one. */
  number: z.int().nonnegative().nullable(),
  /** ISO time until which a trusted signature is good; null: for ever, or nobody judges it. */
  expires: z.string().nullable().default(null),
  /** Wall clock of when it became known, for people. */
  since: z.number(),
  by: z.string(),
});
export type KnownRelease = z.infer<typeof knownReleaseSchema>;

/**
 * Which release each region runs, by whose authority. The epoch grows with every activation and
 * every rollback, and is compared in the same write that changes it.
 */
export const releaseIntentSchema = z.strictObject({
  epoch: z.int().positive(),
  /** Digest by region. They differ only while an activation is under way. */
  regions: z.record(z.string(), z.strictObject({ digest: z.string(), since: z.number() })),
  /** Releases that were proven in every region, the last good one first; never empty. */
  good: z.array(z.string()).min(1),
  /** Plan that holds the release while it changes, and what it does; null at rest. */
  heldBy: z.strictObject({ plan: z.string(), kind: z.enum(["activate", "rollback"]) }).nullable(),
  because: z.string(),
  /** Wall clock of the last change, for people. */
  since: z.number(),
});
export type ReleaseIntent = z.infer<typeof releaseIntentSchema>;

/** Good releases that are remembered: a rollback of a rollback still finds its way. */
export const GOOD_KEPT = 5;

/** What a region shall run. One that is new to the estate begins with the last good release. */
export function releaseOf(intent: ReleaseIntent, region: string): string {
  const own = Object.hasOwn(intent.regions, region) ? intent.regions[region] : undefined;
  return own?.digest ?? lastGood(intent);
}

export function lastGood({ good: [newest] }: ReleaseIntent): string {
  if (newest === undefined) throw new TypeError("a release intent without a good release");
  return newest;
}

/** Releases that must stay at hand in every region: what runs, and what may be gone back to. */
export function releasesInUse(intent: ReleaseIntent): string[] {
  const running = Object.values(intent.regions).map(({ digest }) => digest);
  return [...new Set([...running, ...intent.good])];
}
