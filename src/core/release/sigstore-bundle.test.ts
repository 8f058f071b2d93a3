import assert from "node:assert/strict";
import { createPrivateKey, sign } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { openLayout } from "../../adapters/artifacts-layout/layout.ts";
import { makeReleaseKeys } from "../../config/release-key.ts";
import { sha256 } from "../../lib/canonical.ts";
import { MEDIA } from "../../model/artifact.ts";
import { readSignaturesFrom, writeRelease } from "../../region/artifacts/release-store.ts";
import { buildRelease } from "./build.ts";
import { FILES } from "./files.fixture.ts";
import { verifySignature } from "./signature.ts";
import { bundleSignatures } from "./sigstore-bundle.ts";

const keys = await makeReleaseKeys(null);
const other = await makeReleaseKeys(null);
const RELEASE = buildRelease(FILES);
const HEX = RELEASE.digest.slice("sha256:".length);
const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";

const STATEMENT = {
  _type: "https://in-toto.io/Statement/v1",
  subject: [{ digest: { sha256: HEX }, annotations: { "tideover.number": "7" } }],
  predicateType: "https://sigstore.dev/cosign/sign/v1",
  predicate: {},
};

/** As `cosign sign --key` of version 3 writes it, by DSSE's own words and not by our reader. */
function bundle(
  about: {
    readonly statement?: object;
    readonly signer?: typeof keys;
    readonly payloadType?: string;
    readonly mediaType?: string;
  } = {},
): Buffer {
  const { statement = STATEMENT, signer = keys, mediaType = BUNDLE } = about;
  const { payloadType = "application/vnd.in-toto+json" } = about;
  const body = Buffer.from(JSON.stringify(statement));
  const head = `DSSEv1 ${payloadType.length} ${payloadType} ${body.length} `;
  const signed = Buffer.concat([Buffer.from(head), body]);
  const sig = sign("sha256", signed, createPrivateKey(signer.privateKey)).toString("base64");
  return Buffer.from(
    JSON.stringify({
      mediaType,
      verificationMaterial: { publicKey: { hint: "any" }, tlogEntries: [] },
      dsseEnvelope: { payload: body.toString("base64"), payloadType, signatures: [{ sig }] },
    }),
  );
}

const question = { digest: RELEASE.digest, trust: [keys.publicKey], now: 0, atLeast: null };
const judged = (bytes: Buffer, more: Partial<typeof question> = {}) =>
  verifySignature({ ...question, ...more, signatures: bundleSignatures(bytes) });

describe("a signature in a Sigstore bundle", () => {
  test("counts for the digest that its statement names, with its claims", () => {
    assert.deepEqual(judged(bundle()), {
      ...{ ok: true, keyId: keys.keyId, number: 7, expires: null },
    });
    const older = "application/vnd.dev.sigstore.bundle+json;version=0.3";
    assert.equal(judged(bundle({ mediaType: older })).ok, true);
  });

  const refused: readonly [what: string, bytes: Buffer, code: string][] = [
    ["by a stranger's key", bundle({ signer: other }), "RELEASE_UNTRUSTED"],
    [
      "of another release",
      bundle({ statement: { ...STATEMENT, subject: [{ digest: { sha256: "0".repeat(64) } }] } }),
      "RELEASE_TAMPERED",
    ],
    [
      "of a claim that cannot be read",
      bundle({
        statement: {
          ...STATEMENT,
          subject: [{ digest: { sha256: HEX }, annotations: { "tideover.expires": "soon" } }],
        },
      }),
      "RELEASE_TAMPERED",
    ],
    [
      "that is an attestation, and no word on the release itself",
      bundle({ statement: { ...STATEMENT, predicateType: "https://slsa.dev/provenance/v1" } }),
      "RELEASE_UNSIGNED",
    ],
    ["of another type of text", bundle({ payloadType: "text/plain" }), "RELEASE_UNSIGNED"],
    [
      "of two things at once",
      bundle({
        statement: { ...STATEMENT, subject: [...STATEMENT.subject, ...STATEMENT.subject] },
      }),
      "RELEASE_UNSIGNED",
    ],
    ["that is no bundle", Buffer.from("{}"), "RELEASE_UNSIGNED"],
  ];
  for (const [what, bytes, code] of refused) {
    test(`does not count ${what}`, () => {
      const found = judged(bytes);
      assert.equal(found.ok ? "ok" : found.code, code);
    });
  }

  test("does not count once a byte of its statement was changed", () => {
    const changed = JSON.parse(bundle().toString());
    const statement = Buffer.from(changed.dsseEnvelope.payload, "base64").toString();
    const payload = Buffer.from(statement.replace('"7"', '"8"')).toString("base64");
    changed.dsseEnvelope = { ...changed.dsseEnvelope, payload };
    const found = judged(Buffer.from(JSON.stringify(changed)));
    assert.equal(found.ok ? "ok" : found.code, "RELEASE_UNTRUSTED");
  });

  test("is found where it refers to the release, beside a classic one or alone", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tideover-bundle-"));
    const store = openLayout({ folder });
    try {
      await writeRelease(store, RELEASE, ["v1"]);
      const bytes = bundle();
      const empty = { mediaType: MEDIA.empty, digest: sha256("{}"), size: 2 };
      const layer = { mediaType: BUNDLE, digest: sha256(bytes), size: bytes.length };
      await store.putBlob(empty, once(Buffer.from("{}")));
      await store.putBlob(layer, once(bytes));
      const manifest = {
        ...{ schemaVersion: 2, mediaType: MEDIA.manifest, artifactType: BUNDLE, config: empty },
        layers: [layer],
        subject: { mediaType: MEDIA.index, digest: RELEASE.digest, size: RELEASE.index.length },
      };
      await store.putManifest(Buffer.from(JSON.stringify(manifest)), MEDIA.manifest);
      const signatures = await readSignaturesFrom(store, RELEASE.digest);
      assert.equal(verifySignature({ ...question, signatures }).ok, true);
    } finally {
      await store.close();
      rmSync(folder, { recursive: true });
    }
  });
});

async function* once(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}
