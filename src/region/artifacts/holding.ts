import type { Descriptor } from "../../model/artifact.ts";
import type { ArtifactBytes, HeldArtifact } from "../../model/artifact-status.ts";
import type { CopyPlan } from "./plan.ts";
import { type RateMeter, remainingMs } from "./progress.ts";

/** What a keeper knows of one artifact. Plain data: the keeper changes it, this file reads it. */
export interface Holding {
  readonly digest: string;
  names: readonly string[];
  /** Config and layers of all of it; null until it was read. */
  blobs: readonly Descriptor[] | null;
  /** Of the copy that is under way, or was last. */
  plan: CopyPlan["bytes"] | null;
  meter: RateMeter | null;
  /** Every blob and manifest is here. */
  complete: boolean;
  /** Blobs compared since this process began. */
  verified: ReadonlySet<string>;
  verifiedAt: number | null;
  /** Blobs found to be wrong here: the next copy brings them again. */
  bad: ReadonlySet<string>;
  referrers: readonly string[];
  error: string | null;
}

export function newHolding(digest: string): Holding {
  return {
    ...{ digest, names: [], blobs: null, plan: null, meter: null, complete: false },
    ...{ verified: new Set<string>(), verifiedAt: null, bad: new Set<string>() },
    ...{ referrers: [], error: null },
  };
}

/** A holding as `status` shows it. */
export function heldArtifact(holding: Holding): HeldArtifact {
  const bytes = bytesOf(holding);
  const rate = holding.complete ? null : (holding.meter?.rate ?? null);
  return {
    digest: holding.digest,
    names: [...holding.names],
    state: stateOf(holding),
    bytes,
    rate,
    remainingMs: bytes === null ? null : remainingMs(bytes.missing, rate),
    verifiedAt: holding.verifiedAt,
    referrers: [...holding.referrers],
    error: holding.error,
  };
}

function stateOf(holding: Holding): HeldArtifact["state"] {
  if (holding.error !== null || holding.bad.size > 0) return "refused";
  if (!holding.complete) return holding.meter === null ? "missing" : "copying";
  return holding.verifiedAt === null ? "present" : "verified";
}

function bytesOf({ blobs, plan, meter, complete, verified }: Holding): ArtifactBytes | null {
  const compared = (blobs ?? []).filter(({ digest }) => verified.has(digest));
  const verifiedBytes = compared.reduce((sum, { size }) => sum + size, 0);
  if (complete && blobs !== null) {
    const total = blobs.reduce((sum, { size }) => sum + size, 0);
    return { total, present: total, cached: 0, verified: verifiedBytes, missing: 0 };
  }
  if (plan === null) return null;
  // What moves belongs to blobs that are not whole yet, as far as can be told without a look.
  const moved = Math.min(plan.missing, meter?.bytes ?? 0);
  return {
    total: plan.total,
    present: plan.present,
    cached: plan.cached + moved,
    verified: verifiedBytes,
    missing: plan.missing - moved,
  };
}
