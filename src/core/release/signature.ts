import { createHash, createPublicKey, verify } from "node:crypto";
import { z } from "zod";
import { canonicalJson, sha256 } from "../../lib/canonical.ts";
import { TideoverError } from "../../lib/errors.ts";
import {
  ANNOTATIONS,
  type Descriptor,
  type ImageManifest,
  imageManifestSchema,
  MEDIA,
} from "../../model/artifact.ts";
import { type Parts, tampered } from "./read.ts";
import { statedIn } from "./sigstore-bundle.ts";

/**
 * A signature as cosign makes it: the signed text, and ECDSA P-256 over its SHA-256, DER, base64. The
 * text is a simple signing payload, or DSSE's encoding of a statement (sigstore-bundle.ts).
 */
export interface ReleaseSignature {
  readonly payload: string;
  readonly signature: string;
}

/** What a signature says of a release, beside its digest. */
export interface SignedFacts {
  readonly digest: string;
  /** Repository that it was signed as. Not judged, as with cosign: a copy elsewhere stays valid. */
  readonly reference: string;
  /** Grows with every release of an estate; null: none was given. */
  readonly number: number | null;
  /** ISO time from which on it is not to be activated; null: never. */
  readonly expires: string | null;
}

/** Keys of `optional`. `cosign sign -a tideover.number=7` writes the same, so values are texts. */
export const CLAIMS = { number: "tideover.number", expires: "tideover.expires" } as const;

const COSIGN_TYPE = "cosign container image signature";

const payloadSchema = z.object({
  critical: z.object({
    identity: z.object({ "docker-reference": z.string() }),
    image: z.object({ "docker-manifest-digest": z.string() }),
    type: z.literal(COSIGN_TYPE),
  }),
  optional: z.record(z.string(), z.unknown()).nullish(),
});

/** The text that is signed: the simple signing format, with its keys in cosign's order. */
export function payloadOf({ digest, reference, number, expires }: SignedFacts): string {
  const claims = {
    ...(number === null ? {} : { [CLAIMS.number]: String(number) }),
    ...(expires === null ? {} : { [CLAIMS.expires]: expires }),
  };
  return canonicalJson({
    critical: {
      identity: { "docker-reference": reference },
      image: { "docker-manifest-digest": digest },
      type: COSIGN_TYPE,
    },
    optional: Object.keys(claims).length > 0 ? claims : null,
  });
}

/** What a payload says; null when it is none, or when a claim of ours cannot be read. */
export function factsOf(payload: string): SignedFacts | null {
  const said: Said | null = statedIn(payload) ?? simplySigned(payload);
  if (said === null) return null;
  const { number, expires } = claimsOf(said.claims);
  // A claim that cannot be read must not count as one that was never made.
  if (number === undefined || expires === undefined) return null;
  return { digest: said.digest, reference: said.reference ?? "", number, expires };
}

interface Said {
  readonly digest: string;
  readonly reference?: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

function simplySigned(payload: string): Said | null {
  const { data } = payloadSchema.safeParse(jsonOf(payload));
  if (data === undefined) return null;
  return {
    digest: data.critical.image["docker-manifest-digest"],
    reference: data.critical.identity["docker-reference"],
    claims: data.optional ?? {},
  };
}

function claimsOf(optional: Readonly<Record<string, unknown>>): {
  readonly number: number | null | undefined;
  readonly expires: string | null | undefined;
} {
  const number = optional[CLAIMS.number];
  const expires = optional[CLAIMS.expires];
  return {
    number: number === undefined ? null : wholeNumber(String(number)),
    expires: expires === undefined ? null : instant(String(expires)),
  };
}

function wholeNumber(text: string): number | undefined {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

function instant(text: string): string | undefined {
  return Number.isNaN(Date.parse(text)) ? undefined : text;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Cosign's signature manifest, to be kept under the tag `sha256-<hex>.sig`, and its blobs. */
export interface SignatureArtifact {
  readonly manifest: Buffer;
  readonly blobs: readonly { readonly descriptor: Descriptor; readonly bytes: Buffer }[];
}

/**
 * Several signatures of one release stand in one manifest, a layer each. `kept`: layers that are
 * there already, taken over as they are, since another tool's bear more than we read.
 */
export function signatureArtifact(
  signatures: readonly ReleaseSignature[],
  kept: readonly Descriptor[] = [],
): SignatureArtifact {
  const own = signatures.map(({ payload, signature }) => {
    const bytes = Buffer.from(payload);
    return { bytes, descriptor: describe(MEDIA.simpleSigning, bytes, signature) };
  });
  const layers = [...kept, ...own.map(({ descriptor }) => descriptor)];
  const bytes = Buffer.from(canonicalJson(imageConfigOf(layers)));
  const config = { bytes, descriptor: describe(MEDIA.imageConfig, bytes) };
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    config: config.descriptor,
    layers,
  };
  const blobs = new Map([config, ...own].map((one) => [one.descriptor.digest, one]));
  return { manifest: Buffer.from(canonicalJson(manifest)), blobs: [...blobs.values()] };
}

/** Tools that take it for an image look for as many layers here as in the manifest. */
function imageConfigOf(layers: readonly Descriptor[]): object {
  const diff_ids = layers.map(({ digest }) => digest);
  return { architecture: "", config: {}, os: "", rootfs: { type: "layers", diff_ids } };
}

function describe(mediaType: string, bytes: Buffer, signature?: string): Descriptor {
  const own = { mediaType, digest: sha256(bytes), size: bytes.length };
  return signature === undefined
    ? own
    : { ...own, annotations: { [ANNOTATIONS.signature]: signature } };
}

/** All layers of a signature manifest; none when the bytes are no manifest. */
export function allLayers(manifest: Uint8Array): Descriptor[] {
  const { data } = imageManifestSchema.safeParse(jsonOf(Buffer.from(manifest).toString("utf8")));
  return data?.layers ?? [];
}

/** Layers of a signature manifest that hold a payload; those of other kinds are passed over. */
export function signatureLayers(manifest: Uint8Array): Descriptor[] {
  return allLayers(manifest).filter(
    ({ mediaType, annotations }) =>
      mediaType === MEDIA.simpleSigning && annotations?.[ANNOTATIONS.signature] !== undefined,
  );
}

/** The signatures of a manifest. Throws RELEASE_TAMPERED when a payload is not what it names. */
export function readSignatures(manifest: Uint8Array, parts: Parts): ReleaseSignature[] {
  return signatureLayers(manifest).flatMap(({ digest, annotations }) => {
    const bytes = parts.get(digest);
    if (bytes === undefined) return [];
    const found = sha256(bytes);
    if (found !== digest) throw tampered("a signature's payload", digest, found);
    const signature = annotations?.[ANNOTATIONS.signature] ?? "";
    return [{ payload: Buffer.from(bytes).toString("utf8"), signature }];
  });
}

export interface SignatureQuestion {
  readonly digest: string;
  readonly signatures: readonly ReleaseSignature[];
  /** PEM public keys. Several, so that a key can be changed without a gap; one match is enough. */
  readonly trust: readonly string[];
  /** Wall clock, ms since 1970: an expiry is a date that people wrote. null: it is not judged. */
  readonly now: number | null;
  /** Lowest number that may be activated; null where going back is meant, as in a rollback. */
  readonly atLeast: number | null;
}

export type SignatureJudgement =
  | {
      readonly ok: true;
      readonly keyId: string;
      readonly number: number | null;
      readonly expires: string | null;
    }
  | { readonly ok: false; readonly code: SignatureFault; readonly because: string };

/** From the least to the most that was right about the best signature. */
const FAULTS = [
  "RELEASE_UNSIGNED",
  "RELEASE_UNTRUSTED",
  "RELEASE_TAMPERED",
  "RELEASE_EXPIRED",
  "RELEASE_DOWNGRADED",
] as const;
export type SignatureFault = (typeof FAULTS)[number];

/**
 * Whether a release may be activated: one of its signatures was made by a trusted key, over this
 * digest, has not expired and bears no lower number than was asked for. One good signature is
 * enough; without one, the fault of the best is told.
 */
export function verifySignature(question: SignatureQuestion): SignatureJudgement {
  const judged = question.signatures.map((one) => judge(one, question));
  const good = judged.find(({ ok }) => ok);
  if (good !== undefined) return good;
  const unsigned = refusal("RELEASE_UNSIGNED", `${question.digest} bears no signature`);
  return judged.reduce((best, one) => (rank(one) > rank(best) ? one : best), unsigned);
}

function rank(judged: SignatureJudgement): number {
  return judged.ok ? FAULTS.length : FAULTS.indexOf(judged.code);
}

function judge(signature: ReleaseSignature, question: SignatureQuestion): SignatureJudgement {
  const { digest, trust, now, atLeast } = question;
  const key = trust.find((pem) => madeBy(pem, signature));
  const facts = factsOf(signature.payload);
  if (key === undefined) return refusal("RELEASE_UNTRUSTED", strangerOf(digest, trust));
  const keyId = releaseKeyId(key);
  const by = `the signature by key ${keyId}`;
  if (facts === null)
    return refusal("RELEASE_TAMPERED", `${by} is over a text that says nothing of a release`);
  if (facts.digest !== digest)
    return refusal(
      "RELEASE_TAMPERED",
      `${by} is of another release: expected ${digest}, found ${facts.digest}`,
    );
  if (facts.expires !== null && now !== null && now >= Date.parse(facts.expires))
    return refusal("RELEASE_EXPIRED", `${by} expired at ${facts.expires}`);
  if (atLeast !== null && (facts.number ?? -1) < atLeast)
    return refusal("RELEASE_DOWNGRADED", `${by} bears ${numbered(facts)}, below ${atLeast}`);
  return { ok: true, keyId, number: facts.number, expires: facts.expires };
}

/**
 * What all trusted signatures of a release claim together: the highest number, and the time until
 * which one of them is good; null: none bears a number, and one is good for ever.
 */
export function signedClaims(
  question: Pick<SignatureQuestion, "digest" | "signatures" | "trust">,
): Pick<SignedFacts, "number" | "expires"> {
  const facts = question.signatures
    .filter((one) => judge(one, { ...question, now: null, atLeast: null }).ok)
    .flatMap(({ payload }) => factsOf(payload) ?? []);
  const numbers = facts.flatMap(({ number }) => number ?? []);
  const ends = facts.map(({ expires }) => expires);
  return {
    number: numbers.length === 0 ? null : Math.max(...numbers),
    expires: ends.includes(null) ? null : (ends.toSorted(byTime).at(-1) ?? null),
  };
}

function byTime(a: string | null, b: string | null): number {
  return Date.parse(a ?? "") - Date.parse(b ?? "");
}

function numbered({ number }: SignedFacts): string {
  return number === null ? "no release number" : `release number ${number}`;
}

function strangerOf(digest: string, trust: readonly string[]): string {
  const known = trust.map(releaseKeyId).join(", ");
  return known === ""
    ? `${digest} is signed, but no key is trusted here`
    : `no trusted key (${known}) made this signature of ${digest} over this text`;
}

function refusal(code: SignatureFault, because: string): SignatureJudgement {
  return { ok: false, code, because };
}

function madeBy(pem: string, { payload, signature }: ReleaseSignature): boolean {
  try {
    const bytes = Buffer.from(signature, "base64");
    // Node skips what is no base64: a changed character would otherwise still verify.
    if (bytes.toString("base64") !== signature) return false;
    return verify("sha256", Buffer.from(payload), createPublicKey(pem), bytes);
  } catch {
    return false;
  }
}

/** Names a trusted key to people: the first 16 hex digits of the SHA-256 of its SPKI DER. */
export function releaseKeyId(pem: string): string {
  const der = createPublicKey(pem).export({ type: "spki", format: "der" });
  return createHash("sha256").update(der).digest("hex").slice(0, 16);
}

const NEXT: Readonly<Record<SignatureFault, string>> = {
  RELEASE_UNSIGNED: "Sign it: `tideover release sign`, or `cosign sign --key`.",
  RELEASE_UNTRUSTED:
    "Sign it with a trusted key, or add the signer's public key to the trust root.",
  RELEASE_TAMPERED:
    "Copy the release again from where it was built; find out who changed this copy.",
  RELEASE_EXPIRED: "Sign it again, if it shall still be used.",
  RELEASE_DOWNGRADED: "Sign it with a higher number, or roll back to a release that ran before.",
};

/** A refusal as an error, with what to do. */
export function signatureError({ code, because }: { code: SignatureFault; because: string }) {
  return new TideoverError(because, { code, next: NEXT[code] });
}
