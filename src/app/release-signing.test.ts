import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { openLayout } from "../adapters/artifacts-layout/layout.ts";
import { loadRelease } from "../config/load-release.ts";
import { makeReleaseKeys, type ReleaseKeyPair } from "../config/release-key.ts";
import { tempFolder } from "../config/temp-folder.fixture.ts";
import { signatureArtifact } from "../core/release/signature.ts";
import { sha256 } from "../lib/canonical.ts";
import { TideoverError } from "../lib/errors.ts";
import { MEDIA, signatureTag } from "../model/artifact.ts";
import type { ArtifactStore } from "../ports/artifacts.ts";
import { readSignaturesFrom, writeRelease } from "../region/artifacts/release-store.ts";
import { listReleases } from "./release-list.ts";
import { nextReleaseNumber, signRelease, verifyRelease } from "./release-signing.ts";

const EXAMPLE = join(dirname(fileURLToPath(import.meta.url)), "../../examples/estate/release");
const RELEASE = loadRelease(EXAMPLE);
const NOW = Date.parse("2026-11-23T12:00:00Z");
const CLAIMS = { number: 7, expires: "2027-01-01T00:00:00Z", reference: null };

const KEYS = await makeReleaseKeys(null);
const OTHER = await makeReleaseKeys(null);

const signWith = (
  store: ArtifactStore,
  keys: ReleaseKeyPair,
  claims: Partial<typeof CLAIMS> = {},
) => signRelease(store, "latest", createPrivateKey(keys.privateKey), { ...CLAIMS, ...claims });

const question = { trust: [KEYS.publicKey], now: NOW, atLeast: 7 };

/** A layout with the example's release in it, for the time of a test. */
async function withRelease(work: (store: ArtifactStore, folder: string) => Promise<void>) {
  using folder = tempFolder({});
  const store = openLayout({ folder: folder.path });
  try {
    await writeRelease(store, RELEASE.built, ["latest", "1.0.0"]);
    await work(store, folder.path);
  } finally {
    await store.close();
  }
}

test("a release that was built, written and signed is verified from its layout alone", () =>
  withRelease(async (store) => {
    const facts = await signWith(store, KEYS);
    assert.deepEqual(facts, { digest: RELEASE.digest, ...CLAIMS, reference: "tideover/meridian" });
    for (const ref of ["latest", "1.0.0", RELEASE.digest]) {
      const { release, judged } = await verifyRelease(store, ref, question);
      assert.deepEqual(release.body, RELEASE.body);
      const { keyId } = KEYS;
      assert.deepEqual(judged, { ok: true, keyId, number: 7, expires: CLAIMS.expires });
    }
  }));

test("unsigned, strange, expired, downgraded: each is refused by its own code", () =>
  withRelease(async (store) => {
    const codeOf = async (about: Partial<typeof question> = {}): Promise<string> => {
      const { judged } = await verifyRelease(store, "latest", { ...question, ...about });
      return judged.ok ? "accepted" : judged.code;
    };
    assert.equal(await codeOf(), "RELEASE_UNSIGNED");
    await signWith(store, OTHER);
    assert.equal(await codeOf(), "RELEASE_UNTRUSTED");
    await signWith(store, KEYS);
    assert.equal(await codeOf(), "accepted");
    assert.equal(await codeOf({ now: Date.parse("2027-06-01") }), "RELEASE_EXPIRED");
    assert.equal(await codeOf({ atLeast: 8 }), "RELEASE_DOWNGRADED");
    const trust = [OTHER.publicKey, KEYS.publicKey];
    assert.equal(await codeOf({ trust }), "accepted", "both keys, while one is being replaced");
  }));

test("a signature that was taken from another release is refused with both digests", () =>
  withRelease(async (store) => {
    await signWith(store, KEYS);
    const [stolen] = await readSignaturesFrom(store, RELEASE.digest);
    assert.ok(stolen !== undefined);
    const names = readdirSync(EXAMPLE, { recursive: true, encoding: "utf8" });
    const texts = names
      .filter((name) => /\.(md|yaml)$/.test(name))
      .map((name) => [
        name,
        readFileSync(join(EXAMPLE, name), "utf8").replace('"1.0.0"', '"6.6.6"'),
      ]);
    using files = tempFolder(Object.fromEntries(texts));
    const evil = loadRelease(files.path);
    await writeRelease(store, evil.built, ["latest"]);
    const { manifest, blobs } = signatureArtifact([stolen]);
    for (const { descriptor, bytes } of blobs) {
      await store.putBlob(descriptor, Readable.from([bytes]));
    }
    await store.putManifest(manifest, MEDIA.manifest, signatureTag(evil.digest));
    const { judged } = await verifyRelease(store, "latest", question);
    assert.deepEqual(judged, {
      ok: false,
      code: "RELEASE_TAMPERED",
      because: `the signature by key ${KEYS.keyId} is of another release: expected ${evil.digest}, found ${RELEASE.digest}`,
    });
  }));

test("one flipped bit in any blob of the layout is refused with the digest expected and found", () =>
  withRelease(async (store, folder) => {
    await signWith(store, KEYS);
    const blobs = join(folder, "blobs", "sha256");
    const read = await verifyRelease(store, "latest", question);
    const { config } = JSON.parse(`${(await store.manifest(signatureTag(RELEASE.digest)))?.bytes}`);
    // Cosign's image config says nothing that anybody reads; all other blobs count.
    const names = readdirSync(blobs).filter((name) => `sha256:${name}` !== config.digest);
    assert.ok(names.length === read.release.parts.size + 2, `${names.length} blobs`);
    const flips = fc.tuple(fc.constantFrom(...names), fc.nat(), fc.integer({ min: 0, max: 7 }));
    await fc.assert(
      fc.asyncProperty(flips, async ([name, at, bit]) => {
        const path = join(blobs, name);
        const good = readFileSync(path);
        const bad = Buffer.from(good);
        bad[at % bad.length] = (bad[at % bad.length] ?? 0) ^ (1 << bit);
        writeFileSync(path, bad);
        try {
          const error = await verifyRelease(store, "latest", question).then(
            () => assert.fail("it was accepted"),
            (reason: unknown) => reason,
          );
          assert.ok(error instanceof TideoverError, String(error));
          assert.match(error.code, /^(RELEASE_TAMPERED|ARTIFACT_CORRUPT)$/);
          assert.ok(error.message.includes(`sha256:${name}`), error.message);
          assert.ok(error.message.includes(sha256(bad)), error.message);
        } finally {
          writeFileSync(path, good);
        }
      }),
      { numRuns: 200 },
    );
    assert.equal((await verifyRelease(store, "latest", question)).judged.ok, true);
  }));

test("what is not as it was built is never signed", () =>
  withRelease(async (store, folder) => {
    const layer = RELEASE.built.blobs.at(-1)?.descriptor.digest.slice("sha256:".length) ?? "";
    writeFileSync(join(folder, "blobs", "sha256", layer), "other words");
    await assert.rejects(signWith(store, KEYS), { code: "ARTIFACT_CORRUPT" });
    assert.deepEqual(await readSignaturesFrom(store, RELEASE.digest), []);
  }));

test("release numbers go on from the highest in the layout", () =>
  withRelease(async (store) => {
    assert.equal(await nextReleaseNumber(store), 1);
    await signWith(store, KEYS, { number: 7 });
    await signWith(store, OTHER, { number: 4 });
    assert.equal(await nextReleaseNumber(store), 8);
  }));

test("a list names every release once, with its tags, its signature and what is broken", () =>
  withRelease(async (store, folder) => {
    await signWith(store, KEYS);
    const [only, ...others] = await listReleases(store, [KEYS.publicKey], NOW);
    assert.deepEqual(others, []);
    const { name, version, tags, fault, signature } = only ?? assert.fail("no release");
    assert.deepEqual(
      [name, version, tags, fault, signature.ok],
      ["meridian", "1.0.0", ["1.0.0", "latest"], null, true],
    );
    const layer = RELEASE.built.blobs.at(-1)?.descriptor.digest.slice("sha256:".length) ?? "";
    writeFileSync(join(folder, "blobs", "sha256", layer), "other words");
    const [broken] = await listReleases(store, [KEYS.publicKey], NOW);
    assert.ok(broken?.fault?.includes(layer), broken?.fault ?? "sound");
  }));

test("a release that is not there is refused with those that are", () =>
  withRelease(async (store) => {
    await assert.rejects(verifyRelease(store, "2.0.0", question), {
      code: "ARTIFACT_MISSING",
      message: "there is no release 2.0.0",
      next: "There are: 1.0.0, latest.",
    });
  }));
