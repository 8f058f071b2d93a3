import assert from "node:assert/strict";
import { test } from "node:test";
import { embeddingFingerprint, fingerprintOf, referenceModelFingerprint } from "./fingerprint.ts";

test("another artifact digest gives another fingerprint", () => {
  assert.match(referenceModelFingerprint("sha256:aa"), /^[0-9a-f]{16}$/);
  assert.notEqual(referenceModelFingerprint("sha256:aa"), referenceModelFingerprint("sha256:ab"));
});

test("outer white space does not change a fingerprint, a word does", () => {
  assert.equal(fingerprintOf(" I am.\n"), fingerprintOf("I am."));
  assert.notEqual(fingerprintOf("I am."), fingerprintOf("I was."));
});

test("noise in the last bits does not change an embedding's fingerprint", () => {
  const vector = [0.1, -0.00002, 0, 0.99];
  assert.equal(
    embeddingFingerprint(vector),
    embeddingFingerprint([0.100001, 0.00001, -0, 0.990004]),
  );
  assert.notEqual(embeddingFingerprint(vector), embeddingFingerprint([0.1, -0.0002, 0, 0.99]));
  assert.notEqual(embeddingFingerprint(vector), embeddingFingerprint(vector.slice(0, 3)));
});
