import assert from "node:assert/strict";
import { createPrivateKey, createSign, generateKeyPairSync } from "node:crypto";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadRelease } from "../config/load-release.ts";
import { payloadOf } from "../core/release/signature.ts";
import type { OfferedRelease } from "../model/snapshot.ts";
import { SimClock } from "../sim/clock.ts";
import { claimsOf, loadedRelease, releaseVerifier } from "./release-trust.ts";

const EXAMPLE = join(dirname(fileURLToPath(import.meta.url)), "../../examples/estate/release");
const NOW = Date.parse("2026-01-01T00:00:00Z");
const clock = new SimClock(NOW);

function keyPair() {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    privatePem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    publicPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
  };
}

const ours = keyPair();
const theirs = keyPair();

function offered(
  signed: { key?: typeof ours; number?: number; expires?: string } | null,
): OfferedRelease {
  const { digest, body, parts = {} } = loadedRelease(loadRelease(EXAMPLE));
  if (signed === null) return { digest, body, parts, signatures: [] };
  const { key = ours, number = null, expires = null } = signed;
  const payload = payloadOf({ digest, reference: "tideover/test", number, expires });
  const sign = createSign("sha256").update(payload);
  const signature = sign.sign(createPrivateKey(key.privatePem)).toString("base64");
  return { digest, body, parts, signatures: [{ payload, signature }] };
}

const judged = (release: OfferedRelease, trust: string[] = [ours.publicPem]) =>
  Promise.resolve(releaseVerifier({ trust: () => trust, clock })(release));

describe("a region that verifies a release", () => {
  test("takes one that a trusted key has signed, under any of several keys", async () => {
    assert.equal(await judged(offered({})), null);
    assert.equal(await judged(offered({}), [theirs.publicPem, ours.publicPem]), null);
  });

  test("takes an unsigned one only where no key is trusted", async () => {
    assert.equal(await judged(offered(null), []), null);
    assert.match((await judged(offered(null))) ?? "", /RELEASE_UNSIGNED/);
  });

  test("refuses a stranger's signature, and one that has expired", async () => {
    assert.match((await judged(offered({ key: theirs }))) ?? "", /RELEASE_UNTRUSTED/);
    const expired = offered({ expires: "2025-12-31T00:00:00Z" });
    assert.match((await judged(expired)) ?? "", /RELEASE_EXPIRED/);
  });

  test("takes one that it has served before although it has expired, and no stranger's", async () => {
    const verify = releaseVerifier({ trust: () => [ours.publicPem], clock });
    assert.equal(await verify(offered({ expires: "2025-12-31T00:00:00Z" }), true), null);
    assert.match((await verify(offered({ key: theirs }), true)) ?? "", /RELEASE_UNTRUSTED/);
  });

  test("refuses a body that its files do not say, whoever signed it", async () => {
    const release = offered({});
    const body = { ...release.body, policy: { ...release.body.policy, maxOutputTokens: 1 } };
    assert.match((await judged({ ...release, body })) ?? "", /not what its files say/);
  });

  test("refuses one flipped byte in any of its parts, with both digests", async () => {
    const release = offered({});
    for (const [name, text] of Object.entries(release.parts)) {
      const bytes = Buffer.from(text, "base64");
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
      const parts = { ...release.parts, [name]: bytes.toString("base64") };
      await assert.rejects(judgedLater({ ...release, parts }), {
        code: "RELEASE_TAMPERED",
        message: new RegExp(`expected ${name}, found sha256:`),
      });
    }
  });

  test("refuses a release with a part missing", async () => {
    const release = offered({});
    await assert.rejects(judgedLater({ ...release, parts: {} }), { code: "ARTIFACT_MISSING" });
  });
});

/** A verifier may throw at once or later: whoever asks it must be ready for both. */
async function judgedLater(release: OfferedRelease): Promise<string | null> {
  return judged(release);
}

test("the number of a release is what a trusted key has signed, and no other", () => {
  const numberOf = (release: OfferedRelease, trust: string[]) => claimsOf(release, trust).number;
  assert.equal(numberOf(offered({ number: 7 }), [ours.publicPem]), 7);
  assert.equal(numberOf(offered({ number: 7, key: theirs }), [ours.publicPem]), null);
  assert.equal(numberOf(offered({ number: 7, key: theirs }), []), 7);
  assert.equal(numberOf(offered(null), []), null);
});

test("of several trusted signatures the highest number and the latest expiry count", () => {
  const [first, second] = ["2027-01-01T00:00:00Z", "2026-06-01T00:00:00Z"];
  const signatures = [
    ...offered({ number: 3, expires: first }).signatures,
    ...offered({ number: 4, expires: second, key: theirs }).signatures,
  ];
  const release = { ...offered(null), signatures };
  const both = [ours.publicPem, theirs.publicPem];
  assert.deepEqual(claimsOf(release, both), { number: 4, expires: first });
  assert.deepEqual(claimsOf(release, [theirs.publicPem]), { number: 4, expires: second });
  const forEver = [...signatures, ...offered({}).signatures];
  assert.equal(claimsOf({ ...release, signatures: forEver }, both).expires, null);
});
