import type { LoadedRelease } from "../core/publish/releases.ts";
import { type BuiltRelease, partsOf } from "../core/release/build.ts";
import { readParts } from "../core/release/read.ts";
import {
  factsOf,
  type SignedFacts,
  signedClaims,
  verifySignature,
} from "../core/release/signature.ts";
import { canonicalJson } from "../lib/canonical.ts";
import type { OfferedRelease } from "../model/snapshot.ts";
import type { Clock } from "../ports/clock.ts";
import type { ReleaseVerifier } from "../ports/releases.ts";

/**
 * How a region verifies a release by itself: every part against the one digest, the body against
 * the parts, and where the estate trusts keys, a signature of one of them. No service is asked, and
 * the keys are the region's own copies, so that it can start with everybody else gone.
 */
export function releaseVerifier(options: {
  /** PEM public keys; none: signatures are not required. Read anew at each question. */
  readonly trust: () => readonly string[];
  readonly clock: Clock;
}): ReleaseVerifier {
  return ({ digest, body, signatures, parts }, ran = false) => {
    const bytes = Object.entries(parts).map(
      ([name, text]) => [name, Buffer.from(text, "base64")] as const,
    );
    const read = readParts(digest, new Map(bytes));
    if (canonicalJson(read.body) !== canonicalJson(body)) {
      return "its body is not what its files say";
    }
    const trust = options.trust();
    if (trust.length === 0) return null;
    // No least number: a region that starts serves what it is told, which may be a rollback.
    const now = ran ? null : options.clock.now();
    const judged = verifySignature({ digest, signatures, trust, now, atLeast: null });
    return judged.ok ? null : `${judged.because} (${judged.code})`;
  };
}

/** A release that was read from its folder, with all that it can be verified by. */
export function loadedRelease({ built }: { readonly built: BuiltRelease }): LoadedRelease {
  const { digest, body } = built;
  const parts = [...partsOf(built)].map(
    ([name, bytes]) => [name, bytes.toString("base64")] as const,
  );
  return { digest, body, signatures: [], parts: Object.fromEntries(parts) };
}

/**
 * What trusted signatures of a release claim; of an estate that trusts no key, the highest number
 * of any, and no expiry, as nobody judges it there.
 */
export function claimsOf(
  { digest, signatures }: Pick<OfferedRelease, "digest" | "signatures">,
  trust: readonly string[],
): Pick<SignedFacts, "number" | "expires"> {
  if (trust.length > 0) return signedClaims({ digest, signatures, trust });
  const numbers = signatures.flatMap(({ payload }) => factsOf(payload)?.number ?? []);
  return { number: numbers.length === 0 ? null : Math.max(...numbers), expires: null };
}
