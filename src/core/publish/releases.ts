import { TideoverError } from "../../lib/errors.ts";
import type { Release } from "../../model/release.ts";
import { type KnownRelease, type ReleaseIntent, releaseOf } from "../../model/release-intent.ts";
import type { CarriedRelease } from "../../model/snapshot.ts";
import type { Spec } from "../../model/spec.ts";

/** Digest announced by an estate that has no release folder: gateway-only estates. */
export const NO_RELEASE = "none";

/** Which release each region serves, and what is served under each digest. */
export interface EstateReleases {
  readonly of: (region: string) => string;
  readonly bodies: ReadonlyMap<string, CarriedRelease>;
}

/** A release as the estate's own process read it, before it was registered anywhere. */
export interface LoadedRelease {
  readonly digest: string;
  readonly body: Release;
  readonly signatures?: CarriedRelease["signatures"];
  readonly parts?: CarriedRelease["parts"];
  /** Number that a trusted signature bears; null or absent: none does. */
  readonly number?: number | null;
  /** ISO time until which a trusted signature is good; null or absent: for ever. */
  readonly expires?: string | null;
}

/** The same release everywhere: a gateway alone, a runbook of the first start. null: none at all. */
export function oneRelease(release: LoadedRelease | null): EstateReleases {
  if (release === null) return { of: () => NO_RELEASE, bodies: new Map() };
  const { digest, body, signatures = [], parts = {} } = release;
  return { of: () => digest, bodies: new Map([[digest, { body, signatures, parts }]]) };
}

/** What the store says. `intent` null: an estate without a release. */
export function releasesOf(
  intent: ReleaseIntent | null,
  known: readonly KnownRelease[],
): EstateReleases {
  if (intent === null) return oneRelease(null);
  const bodies = known.map(
    ({ digest, body, signatures, parts }) => [digest, { body, signatures, parts }] as const,
  );
  return { of: (region) => releaseOf(intent, region), bodies: new Map(bodies) };
}

/** The first release of an estate, as known to it. */
export function asKnown(release: LoadedRelease, now: number, by: string): KnownRelease {
  const { digest, body, signatures = [], parts = {}, number = null, expires = null } = release;
  return { digest, body, signatures, parts, number, expires, since: now, by };
}

/** A known release with the signatures that have been made since; null: there are no new ones. */
export function withNewSignatures(
  known: KnownRelease,
  { signatures = [], number = null, expires = null }: LoadedRelease,
): KnownRelease | null {
  const has = new Set(known.signatures.map(({ signature }) => signature));
  const added = signatures.filter(({ signature }) => !has.has(signature));
  if (added.length === 0) return null;
  return {
    ...known,
    signatures: [...known.signatures, ...added],
    number: number ?? known.number,
    expires,
  };
}

/** Who runs what before anything has happened: the same release in every region. */
export function initialReleaseIntent(spec: Spec, digest: string, now: number): ReleaseIntent {
  const regions = Object.keys(spec.regions).map(
    (region) => [region, { digest, since: now }] as const,
  );
  return {
    epoch: 1,
    regions: Object.fromEntries(regions),
    good: [digest],
    heldBy: null,
    because: "the estate begins with it",
    since: now,
  };
}

/**
 * The bodies that the regions name, and no others. Throws RELEASE_INVALID when one is missing: a
 * snapshot that names a release without carrying it would leave its region with none.
 */
export function bodiesInUse(
  spec: Spec,
  { of, bodies }: EstateReleases,
): Record<string, CarriedRelease> {
  const digests = new Set(Object.keys(spec.regions).map(of));
  digests.delete(NO_RELEASE);
  return Object.fromEntries(
    [...digests].map((digest) => [digest, bodies.get(digest) ?? missing(digest)] as const),
  );
}

function missing(digest: string): never {
  throw new TideoverError(`release ${digest} is intended, but nothing of it is in the store`, {
    code: "RELEASE_INVALID",
    next: "Activate a release that the estate knows; `tideover release status` lists them.",
  });
}
