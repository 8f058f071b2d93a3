import { z } from "zod";

/**
 * Signatures as newer versions of cosign keep them: a Sigstore bundle in a manifest that refers to
 * the release (OCI 1.1). It holds a DSSE envelope over an in-toto statement that names the digest.
 * What is signed is not the statement but DSSE's encoding of it with its type; that text is the
 * payload here, so that one check of "this key signed this text" serves both formats.
 */

/** `application/vnd.dev.sigstore.bundle.v0.3+json`, and how older ones wrote the version. */
const BUNDLE = /^application\/vnd\.dev\.sigstore\.bundle(?:\.v[\d.]+)?\+json(?:;version=[\d.]+)?$/;
const IN_TOTO = "application/vnd.in-toto+json";
/** What `cosign sign` states. An attestation says other things, and by the same key. */
const SIGNED = "https://sigstore.dev/cosign/sign/v1";

export function isBundleType(mediaType: string): boolean {
  return BUNDLE.test(mediaType);
}

const bundleSchema = z.object({
  mediaType: z.string().regex(BUNDLE),
  dsseEnvelope: z.object({
    payload: z.base64(),
    payloadType: z.literal(IN_TOTO),
    signatures: z.array(z.object({ sig: z.base64() })).min(1),
  }),
});

const statementSchema = z.object({
  _type: z.string().regex(/^https:\/\/in-toto\.io\/Statement\/v(?:0\.1|1)$/),
  predicateType: z.literal(SIGNED),
  subject: z.tuple([
    z.object({
      digest: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
      annotations: z.record(z.string(), z.unknown()).nullish(),
    }),
  ]),
});

/** The signatures in a bundle's bytes; none of an attestation, or of another content. */
export function bundleSignatures(
  bytes: Uint8Array,
): { readonly payload: string; readonly signature: string }[] {
  const { data } = bundleSchema.safeParse(jsonOf(Buffer.from(bytes).toString("utf8")));
  if (data === undefined) return [];
  const { payload, payloadType, signatures } = data.dsseEnvelope;
  const text = encodingOf(payloadType, Buffer.from(payload, "base64"));
  if (text === null || statedIn(text) === null) return [];
  return signatures.map(({ sig }) => ({ payload: text, signature: sig }));
}

/** DSSE's pre-authentication encoding; null when the body is no text. */
function encodingOf(type: string, body: Buffer): string | null {
  const text = body.toString("utf8");
  if (!Buffer.from(text).equals(body)) return null;
  return `DSSEv1 ${Buffer.byteLength(type)} ${type} ${body.length} ${text}`;
}

/** What an encoded statement says; null when the text is none, or states something else. */
export function statedIn(text: string): {
  readonly digest: string;
  /** Of `cosign sign -a`. */
  readonly claims: Readonly<Record<string, unknown>>;
} | null {
  const body = bodyIn(text);
  const { data } = statementSchema.safeParse(body === null ? undefined : jsonOf(body));
  if (data === undefined) return null;
  const [{ digest, annotations }] = data.subject;
  return { digest: `sha256:${digest.sha256}`, claims: annotations ?? {} };
}

/** Lengths are compared: a text that could be read in two ways would be signed in one of them. */
function bodyIn(text: string): string | null {
  const [, typeLength, type = "", length, body = ""] =
    /^DSSEv1 (\d{1,6}) ([^ ]+) (\d{1,9}) ([\s\S]*)$/.exec(text) ?? [];
  const exact =
    Number(typeLength) === Buffer.byteLength(type) && Number(length) === Buffer.byteLength(body);
  return exact && type === IN_TOTO ? body : null;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
