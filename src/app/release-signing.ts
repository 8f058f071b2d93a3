import type { KeyObject } from "node:crypto";
import { signPayload } from "../config/release-key.ts";
import {
  factsOf,
  payloadOf,
  type SignatureJudgement,
  type SignatureQuestion,
  type SignedFacts,
  verifySignature,
} from "../core/release/signature.ts";
import type { ArtifactSource, ArtifactStore } from "../ports/artifacts.ts";
import {
  addSignature,
  type FoundRelease,
  readReleaseFrom,
  readSignaturesFrom,
} from "../region/artifacts/release-store.ts";

const SIGNED_TAG = /^(sha256)-([0-9a-f]{64})\.sig$/;

/** One above the highest number that any signature in the store claims; 1 for the first. */
export async function nextReleaseNumber(source: ArtifactSource): Promise<number> {
  const digests = new Set<string>();
  for (const tag of await source.tags()) {
    const signed = SIGNED_TAG.exec(tag)?.slice(1).join(":");
    // A bundle has no tag of its own: what it speaks of may have one.
    const digest = signed ?? (await source.manifest(tag))?.digest;
    if (digest !== undefined) digests.add(digest);
  }
  const signatures = await Promise.all([...digests].map((one) => readSignaturesFrom(source, one)));
  const numbers = signatures.flat().map(({ payload }) => factsOf(payload)?.number ?? 0);
  return Math.max(0, ...numbers) + 1;
}

/**
 * Signs a release in a store, beside the signatures that it has. It is read whole before: what is
 * not as it was built is never signed.
 */
export async function signRelease(
  store: ArtifactStore,
  ref: string,
  key: KeyObject,
  claims: Pick<SignedFacts, "number" | "expires"> & { readonly reference: string | null },
): Promise<SignedFacts> {
  const { digest, body } = await readReleaseFrom(store, ref);
  // Cosign reads this as the name of a repository, of which it wants two letters at least.
  const reference = claims.reference ?? `tideover/${body.name}`;
  const facts: SignedFacts = { digest, ...claims, reference };
  await addSignature(store, digest, signPayload(payloadOf(facts), key));
  return facts;
}

/** Reads a release whole and judges who signed it. Throws what `readReleaseFrom` throws. */
export async function verifyRelease(
  source: ArtifactSource,
  ref: string,
  question: Pick<SignatureQuestion, "trust" | "now" | "atLeast">,
): Promise<{ readonly release: FoundRelease; readonly judged: SignatureJudgement }> {
  const release = await readReleaseFrom(source, ref);
  const signatures = await readSignaturesFrom(source, release.digest);
  const { digest } = release;
  return { release, judged: verifySignature({ ...question, digest, signatures }) };
}
