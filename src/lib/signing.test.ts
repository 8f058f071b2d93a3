import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { keyIdOf, type Signed, signText, verifySigned } from "./signing.ts";

const old = newPair();
const next = newPair();
const PAYLOAD = '{"estate":"meridian","text":"größer"}';

test("a signature holds with its own key, again and again the same", () => {
  const signed = signText(PAYLOAD, old.privateKey);
  assert.deepEqual([signed.payload, signed.keyId], [PAYLOAD, keyIdOf(old.publicKey)]);
  assert.equal(verifySigned(signed, [old.publicKey]), true);
  assert.deepEqual(signText(PAYLOAD, old.privateKey), signed);
});

test("a key's name is 16 hex digits, its own, and stands in the public half", () => {
  assert.match(keyIdOf(old.publicKey), /^[0-9a-f]{16}$/);
  assert.notEqual(keyIdOf(old.publicKey), keyIdOf(next.publicKey));
  // RFC 8410's example key; its name from `base64 -d | sha256sum`, and never another one.
  const published =
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
  assert.equal(keyIdOf(published), "a1e9156054e04fac");
});

const spoiled: Readonly<Record<string, (signed: Signed) => Signed>> = {
  "another payload": (signed) => ({ ...signed, payload: `${signed.payload} ` }),
  "one bit of the signature": (signed) => ({ ...signed, signature: flipped(signed.signature) }),
  "no signature": (signed) => ({ ...signed, signature: "" }),
  "a signature that is no base64": (signed) => ({ ...signed, signature: "?" }),
  "the signature of another text": (signed) => ({
    ...signed,
    signature: signText("{}", old.privateKey).signature,
  }),
  "the name of another trusted key": (signed) => ({ ...signed, keyId: keyIdOf(next.publicKey) }),
  "a name that no key has": (signed) => ({ ...signed, keyId: "0".repeat(16) }),
};

for (const [what, spoil] of Object.entries(spoiled)) {
  test(`${what} does not verify`, () => {
    const signed = spoil(signText(PAYLOAD, old.privateKey));
    assert.equal(verifySigned(signed, [old.publicKey, next.publicKey]), false);
  });
}

test("a stranger's key does not verify, even under the name of a trusted one", () => {
  const forged = { ...signText(PAYLOAD, next.privateKey), keyId: keyIdOf(old.publicKey) };
  assert.equal(verifySigned(signText(PAYLOAD, next.privateKey), [old.publicKey]), false);
  assert.equal(verifySigned(forged, [old.publicKey]), false);
  assert.equal(verifySigned(signText(PAYLOAD, old.privateKey), []), false);
});

test("while a key is rotated, what either key has signed verifies; afterwards the old one's not", () => {
  const before = signText(PAYLOAD, old.privateKey);
  const after = signText(PAYLOAD, next.privateKey);
  const both = [old.publicKey, next.publicKey];
  assert.deepEqual([verifySigned(before, both), verifySigned(after, both)], [true, true]);
  const turned = both.toReversed();
  assert.deepEqual([verifySigned(before, turned), verifySigned(after, turned)], [true, true]);
  assert.deepEqual(
    [verifySigned(before, [next.publicKey]), verifySigned(after, [next.publicKey])],
    [false, true],
  );
});

function flipped(base64: string): string {
  const bytes = Buffer.from(base64, "base64");
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  return bytes.toString("base64");
}

function newPair() {
  return generateKeyPairSync("ed25519", {
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
}
