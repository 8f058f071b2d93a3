import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { sha256 } from "../../lib/canonical.ts";
import { imageManifestSchema } from "../../model/artifact.ts";
import {
  factsOf,
  payloadOf,
  type ReleaseSignature,
  readSignatures,
  releaseKeyId,
  type SignatureQuestion,
  type SignedFacts,
  signatureArtifact,
  verifySignature,
} from "./signature.ts";

const DIGEST = `sha256:${"1".repeat(64)}`;
const OTHER = `sha256:${"2".repeat(64)}`;
const NOW = Date.parse("2026-11-23T12:00:00Z");

interface Pair {
  readonly key: KeyObject;
  readonly pem: string;
}
const pair = (): Pair => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const pem = createPublicKey(privateKey).export({ type: "spki", format: "pem" }).toString();
  return { key: privateKey, pem };
};
const OLD = pair();
const NEW = pair();
const STRANGER = pair();

const FACTS: SignedFacts = {
  digest: DIGEST,
  reference: "tideover/meridian",
  number: 7,
  expires: "2027-01-01T00:00:00Z",
};

function signed(facts: Partial<SignedFacts> = {}, by: Pair = OLD): ReleaseSignature {
  const payload = payloadOf({ ...FACTS, ...facts });
  return { payload, signature: sign("sha256", Buffer.from(payload), by.key).toString("base64") };
}

function judge(signatures: readonly ReleaseSignature[], about: Partial<SignatureQuestion> = {}) {
  const question = { digest: DIGEST, trust: [OLD.pem], now: NOW, atLeast: null, ...about };
  return verifySignature({ ...question, signatures });
}

test("the payload is the simple signing format, letter by letter", () => {
  assert.equal(
    payloadOf(FACTS),
    `{"critical":{"identity":{"docker-reference":"tideover/meridian"},"image":{"docker-manifest-digest":"${DIGEST}"},"type":"cosign container image signature"},"optional":{"tideover.expires":"2027-01-01T00:00:00Z","tideover.number":"7"}}`,
  );
  assert.match(payloadOf({ ...FACTS, number: null, expires: null }), /"optional":null}$/);
  assert.deepEqual(factsOf(payloadOf(FACTS)), FACTS);
});

test("a payload that `cosign sign -a tideover.number=7` wrote is read as well", () => {
  const payload = JSON.stringify({
    critical: {
      identity: { "docker-reference": "registry.example/releases" },
      image: { "docker-manifest-digest": DIGEST },
      type: "cosign container image signature",
    },
    optional: { creator: "ci", "tideover.number": "7" },
  });
  const reference = "registry.example/releases";
  assert.deepEqual(factsOf(payload), { digest: DIGEST, reference, number: 7, expires: null });
});

test("a claim that cannot be read is no claim that was never made", () => {
  for (const number of ["seven", "-1", "1.5", "", "9999999999999999"]) {
    const payload = payloadOf(FACTS).replace('"7"', JSON.stringify(number));
    assert.equal(factsOf(payload), null, number);
  }
  assert.equal(factsOf(payloadOf(FACTS).replace("2027-01", "someday")), null);
});

test("a release that a trusted key signed is accepted, with its number and its end", () => {
  assert.deepEqual(judge([signed()], { atLeast: 7 }), {
    ok: true,
    keyId: releaseKeyId(OLD.pem),
    number: 7,
    expires: FACTS.expires,
  });
});

test("a key is changed without a gap: either key, and either signature, is enough", () => {
  const both = [signed({}, OLD), signed({}, NEW)];
  for (const trust of [[OLD.pem], [NEW.pem], [OLD.pem, NEW.pem], [STRANGER.pem, NEW.pem]]) {
    assert.equal(judge(both, { trust }).ok, true);
  }
  assert.equal(judge([signed({}, NEW)], { trust: [OLD.pem, NEW.pem] }).ok, true);
});

const KEY = releaseKeyId(OLD.pem);
const REFUSALS: readonly {
  readonly when: string;
  readonly of: readonly ReleaseSignature[];
  readonly about?: Partial<SignatureQuestion>;
  readonly code: string;
  readonly because: string;
}[] = [
  {
    when: "nobody signed it",
    of: [],
    code: "RELEASE_UNSIGNED",
    because: `${DIGEST} bears no signature`,
  },
  {
    when: "only a stranger signed it",
    of: [signed({}, STRANGER)],
    code: "RELEASE_UNTRUSTED",
    because: `no trusted key (${KEY}) made this signature of ${DIGEST} over this text`,
  },
  {
    when: "no key is trusted",
    of: [signed()],
    about: { trust: [] },
    code: "RELEASE_UNTRUSTED",
    because: `${DIGEST} is signed, but no key is trusted here`,
  },
  {
    when: "the signature is another release's",
    of: [signed({ digest: OTHER })],
    code: "RELEASE_TAMPERED",
    because: `the signature by key ${KEY} is of another release: expected ${DIGEST}, found ${OTHER}`,
  },
  {
    when: "its time is over, to the millisecond",
    of: [signed()],
    about: { now: Date.parse(FACTS.expires ?? "") },
    code: "RELEASE_EXPIRED",
    because: `the signature by key ${KEY} expired at 2027-01-01T00:00:00Z`,
  },
  {
    when: "a newer one was activated before",
    of: [signed()],
    about: { atLeast: 8 },
    code: "RELEASE_DOWNGRADED",
    because: `the signature by key ${KEY} bears release number 7, below 8`,
  },
  {
    when: "it bears no number where one is asked for",
    of: [signed({ number: null })],
    about: { atLeast: 0 },
    code: "RELEASE_DOWNGRADED",
    because: `the signature by key ${KEY} bears no release number, below 0`,
  },
  {
    when: "several signatures are bad: the best one's fault is told",
    of: [signed({}, STRANGER), signed({ expires: "2020-01-01T00:00:00Z" })],
    code: "RELEASE_EXPIRED",
    because: `the signature by key ${KEY} expired at 2020-01-01T00:00:00Z`,
  },
];

for (const { when, of, about, code, because } of REFUSALS) {
  test(`refused when ${when}`, () => {
    assert.deepEqual(judge(of, about), { ok: false, code, because });
  });
}

test("no flipped bit of payload or signature is ever accepted", () => {
  const good = signed();
  const flip = (text: string, at: number, bit: number): string => {
    const bytes = Buffer.from(text, "latin1");
    const place = at % bytes.length;
    bytes[place] = (bytes[place] ?? 0) ^ (1 << bit);
    return bytes.toString("latin1");
  };
  fc.assert(
    fc.property(fc.boolean(), fc.nat(), fc.integer({ min: 0, max: 7 }), (inPayload, at, bit) => {
      const bad = inPayload
        ? { ...good, payload: flip(good.payload, at, bit) }
        : { ...good, signature: flip(good.signature, at, bit) };
      const judged = judge([bad]);
      assert.deepEqual([judged.ok, !judged.ok && judged.code], [false, "RELEASE_UNTRUSTED"]);
    }),
    { numRuns: 500 },
  );
});

test("another spelling of a good signature is another signature, and refused", () => {
  const good = signed();
  const bytes = Buffer.from(good.signature, "base64");
  const spellings = [
    `${good.signature}\n`,
    ` ${good.signature}`,
    `${good.signature.slice(0, 9)}\n${good.signature.slice(9)}`,
    `${good.signature}=`,
    bytes.toString("hex"),
  ];
  for (const signature of spellings) {
    assert.equal(judge([{ ...good, signature }]).ok, false, JSON.stringify(signature));
  }
});

test("signatures stand in cosign's manifest: a layer each, the signature in its annotation", () => {
  const both = [signed({}, OLD), signed({}, NEW)];
  const { manifest, blobs } = signatureArtifact(both);
  const { config, layers } = imageManifestSchema.parse(JSON.parse(`${manifest}`));
  assert.equal(config.mediaType, "application/vnd.oci.image.config.v1+json");
  assert.deepEqual(
    layers.map(({ mediaType, annotations }) => [
      mediaType,
      annotations?.["dev.cosignproject.cosign/signature"],
    ]),
    both.map(({ signature }) => ["application/vnd.dev.cosign.simplesigning.v1+json", signature]),
  );
  const parts = new Map(blobs.map(({ descriptor, bytes }) => [descriptor.digest, bytes]));
  assert.deepEqual(readSignatures(manifest, parts), both);
});

test("a changed payload in the manifest is refused with the digest expected and found", () => {
  const { manifest, blobs } = signatureArtifact([signed()]);
  const [payload] = blobs.filter(({ descriptor }) => descriptor.mediaType.includes("cosign"));
  assert.ok(payload !== undefined);
  const bytes = Buffer.from(`${payload.bytes}`.replace('"7"', '"8"'));
  const parts = new Map([[payload.descriptor.digest, bytes]]);
  assert.throws(() => readSignatures(manifest, parts), {
    code: "RELEASE_TAMPERED",
    message: `a signature's payload is not what was signed: expected ${payload.descriptor.digest}, found ${sha256(bytes)}`,
  });
});

test("layers of other kinds, which cosign puts beside, are passed over and kept", () => {
  const { manifest } = signatureArtifact([signed()]);
  const parsed = imageManifestSchema.parse(JSON.parse(`${manifest}`));
  const foreign = { mediaType: "application/vnd.dsse.envelope.v1+json", digest: OTHER, size: 9 };
  const next = signatureArtifact([signed({}, NEW)], [foreign, ...parsed.layers]);
  const kept = imageManifestSchema.parse(JSON.parse(`${next.manifest}`));
  assert.deepEqual(kept.layers.slice(0, 2), [foreign, ...parsed.layers]);
  assert.equal(kept.layers.length, 3);
  assert.deepEqual(readSignatures(next.manifest, new Map()), []);
});
