import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  scrypt,
  sign,
} from "node:crypto";
import { promisify } from "node:util";
import { z } from "zod";
import { type ReleaseSignature, releaseKeyId } from "../core/release/signature.ts";
import { TideoverError } from "../lib/errors.ts";

/**
 * Key pairs as cosign makes and reads them: ECDSA P-256; the public key as PEM, the private one as
 * PKCS#8 PEM or in cosign's encrypted form, which is JSON in PEM: scrypt of the password is the key
 * of a NaCl secretbox (XSalsa20 and Poly1305) over the PKCS#8 DER.
 */

export interface ReleaseKeyPair {
  /** PEM. Keep it from everyone who may not sign. */
  readonly privateKey: string;
  /** PEM: the trust root of every region. */
  readonly publicKey: string;
  readonly keyId: string;
}

const CURVE = "prime256v1";
const SIGSTORE = "ENCRYPTED SIGSTORE PRIVATE KEY";
const ENCRYPTED =
  /^-----BEGIN (ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY)-----\n([\s\S]+?)-----END \1-----/;

/** What cosign writes today. Its older keys have half of N; both are read. */
const SCRYPT = { N: 65_536, r: 8, p: 1 };
/** Above this, a file from elsewhere would only fill the memory (128 * N * r bytes). */
const MOST_SCRYPT = { N: 1_048_576, r: 32, p: 16 };
const KEY_BYTES = 32;
const NONCE_BYTES = 24;

const boxSchema = z.object({
  kdf: z.object({
    name: z.literal("scrypt"),
    params: z.object({
      N: z.int().min(2).max(MOST_SCRYPT.N),
      r: z.int().min(1).max(MOST_SCRYPT.r),
      p: z.int().min(1).max(MOST_SCRYPT.p),
    }),
    salt: z.base64(),
  }),
  cipher: z.object({ name: z.literal("nacl/secretbox"), nonce: z.base64() }),
  ciphertext: z.base64(),
});
type Box = z.infer<typeof boxSchema>;

/** A new pair. `password` null: the private key is written as it is. */
export async function makeReleaseKeys(password: string | null): Promise<ReleaseKeyPair> {
  const pair = newPair();
  const publicKey = pair.publicKey.export({ type: "spki", format: "pem" }).toString();
  const privateKey =
    password === null
      ? pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString()
      : await lock(pair.privateKey.export({ type: "pkcs8", format: "der" }), password);
  return { privateKey, publicKey, keyId: releaseKeyId(publicKey) };
}

/** A new private key as it is, for where the file's mode is its only lock. PEM. */
export function plainReleaseKey(): string {
  return newPair().privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** The public half of a private key that is not encrypted, as PEM. Throws KEY_INVALID. */
export function publicPemOf(privatePem: string, file: string): string {
  return publicKeyOf(requireP256(readKey(privatePem, file), file));
}

function newPair() {
  return generateKeyPairSync("ec", { namedCurve: CURVE });
}

/**
 * The private key of a PEM text. `file` names it in errors, `password` null: none was given. Throws
 * KEY_INVALID for a wrong password, another kind of key, or a text that holds none.
 */
export async function readPrivateKey(
  pem: string,
  file: string,
  password: string | null,
): Promise<KeyObject> {
  const [, , body] = ENCRYPTED.exec(pem.replaceAll("\r\n", "\n")) ?? [];
  if (body === undefined) return requireP256(readKey(pem, file), file);
  const key = await unlock(body, file, password);
  return requireP256(readKey({ key, format: "der", type: "pkcs8" }, file), file);
}

/** The public key of a PEM text, as PEM. Throws KEY_INVALID. A private key is refused, not halved. */
export function readPublicKey(pem: string, file: string): string {
  if (pem.includes("PRIVATE KEY"))
    throw invalid(
      `${file} holds a private key`,
      "Give the public key: the file that ends in .pub.",
    );
  try {
    const key = requireP256(createPublicKey(pem), file);
    return key.export({ type: "spki", format: "pem" }).toString();
  } catch (error) {
    if (error instanceof TideoverError) throw error;
    throw invalid(
      `${file} holds no public key`,
      "Give a PEM file that begins with BEGIN PUBLIC KEY.",
    );
  }
}

/** Signs a payload as cosign does: ECDSA over SHA-256, DER, base64. Another one at every call. */
export function signPayload(payload: string, key: KeyObject): ReleaseSignature {
  return { payload, signature: sign("sha256", Buffer.from(payload), key).toString("base64") };
}

export function publicKeyOf(key: KeyObject): string {
  return createPublicKey(key).export({ type: "spki", format: "pem" }).toString();
}

function readKey(input: Parameters<typeof createPrivateKey>[0], file: string): KeyObject {
  try {
    return createPrivateKey(input);
  } catch {
    throw invalid(
      `${file} holds no private key that can be read`,
      "Give a PEM file of a cosign key pair; `tideover release keygen` makes one.",
    );
  }
}

function requireP256(key: KeyObject, file: string): KeyObject {
  const { namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === "ec" && namedCurve === CURVE) return key;
  throw invalid(
    `${file} holds a key of another kind (${namedCurve ?? key.asymmetricKeyType}), not ECDSA P-256`,
    "Make a pair with `tideover release keygen` or `cosign generate-key-pair`.",
  );
}

async function lock(der: Buffer, password: string): Promise<string> {
  const salt = randomBytes(KEY_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = await secretbox(password, { ...SCRYPT, salt }, nonce);
  const box: Box = {
    kdf: { name: "scrypt", params: SCRYPT, salt: salt.toString("base64") },
    cipher: { name: "nacl/secretbox", nonce: nonce.toString("base64") },
    ciphertext: Buffer.from(cipher.encrypt(der)).toString("base64"),
  };
  const lines = Buffer.from(JSON.stringify(box))
    .toString("base64")
    .replace(/.{1,64}/g, "$&\n");
  return `-----BEGIN ${SIGSTORE}-----\n${lines}-----END ${SIGSTORE}-----\n`;
}

async function unlock(body: string, file: string, password: string | null): Promise<Buffer> {
  const box = readBox(body, file);
  if (password === null)
    throw invalid(`${file} is encrypted, and there is no password`, "Set COSIGN_PASSWORD.");
  const { params, salt } = box.kdf;
  const nonce = Buffer.from(box.cipher.nonce, "base64");
  const cipher = await secretbox(password, { ...params, salt: Buffer.from(salt, "base64") }, nonce);
  try {
    return Buffer.from(cipher.decrypt(Buffer.from(box.ciphertext, "base64")));
  } catch {
    throw invalid(
      `${file} does not open with this password`,
      "Set COSIGN_PASSWORD to its password.",
    );
  }
}

function readBox(body: string, file: string): Box {
  try {
    return boxSchema.parse(JSON.parse(Buffer.from(body, "base64").toString("utf8")));
  } catch {
    throw invalid(`${file} is no encrypted key that can be read`, "Take it from its backup.");
  }
}

const deriveKey = promisify<string, Buffer, number, object, Buffer>(scrypt);

/** The library is loaded only where a key is encrypted: no gateway ever needs it. */
async function secretbox(
  password: string,
  { salt, ...params }: typeof SCRYPT & { readonly salt: Buffer },
  nonce: Buffer,
) {
  const { xsalsa20poly1305 } = await import("@noble/ciphers/salsa.js");
  // Node's own bound is 32 MiB, half of what cosign's parameters need.
  const maxmem = 256 * params.N * params.r;
  const key = await deriveKey(password, salt, KEY_BYTES, { ...params, maxmem });
  return xsalsa20poly1305(key, nonce);
}

function invalid(message: string, next: string): TideoverError {
  return new TideoverError(message, { code: "KEY_INVALID", next });
}
