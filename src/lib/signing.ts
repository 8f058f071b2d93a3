import { createHash, createPrivateKey, createPublicKey, sign, verify } from "node:crypto";

/** A signature over a text's UTF-8 bytes, and which key made it. */
export interface Signed {
  readonly payload: string;
  readonly keyId: string;
  readonly signature: string;
}

/** Names a public key: the first 16 hex digits of the SHA-256 of its SPKI DER. */
export function keyIdOf(publicKeyPem: string): string {
  const der = createPublicKey(publicKeyPem).export({ type: "spki", format: "der" });
  return createHash("sha256").update(der).digest("hex").slice(0, 16);
}

/** Signs a text with an Ed25519 private key (PKCS#8 PEM). Deterministic. Throws on a bad key. */
export function signText(payload: string, privateKeyPem: string): Signed {
  const key = createPrivateKey(privateKeyPem);
  const publicPem = createPublicKey(key).export({ type: "spki", format: "pem" }).toString();
  const signature = sign(null, Buffer.from(payload, "utf8"), key).toString("base64");
  return { payload, keyId: keyIdOf(publicPem), signature };
}

/**
 * Whether one of the trusted public keys (SPKI PEM) made this signature over this payload. Several
 * are allowed so that a key can be rotated without a moment in which nothing verifies.
 */
export function verifySigned(signed: Signed, trustedPems: readonly string[]): boolean {
  return trustedPems
    .filter((pem) => keyIdOf(pem) === signed.keyId)
    .some((pem) =>
      verify(
        null,
        Buffer.from(signed.payload, "utf8"),
        createPublicKey(pem),
        Buffer.from(signed.signature, "base64"),
      ),
    );
}
