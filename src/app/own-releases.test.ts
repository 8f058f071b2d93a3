import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { makeReleaseKeys } from "../config/release-key.ts";
import type { LoadedRelease } from "../core/publish/releases.ts";
import { signatureTag } from "../model/artifact.ts";
import { KEYS } from "../model/keys.ts";
import { SimClock } from "../sim/clock.ts";
import { MemoryBackend, MemoryStore } from "../sim/store.ts";
import type { Estate } from "./estate.ts";
import { findRelease } from "./find-release.ts";
import { firstRelease } from "./own-releases.ts";
import { withLayout } from "./release-places.ts";
import { releaseVerifier } from "./release-trust.ts";
import { estateWith, signIn, trusting } from "./signed-estate.fixture.ts";
import { tempFolder } from "./temp-data.fixture.ts";
import { namedTrust, trustOf } from "./trust-root.ts";

const clock = new SimClock(Date.parse("2026-11-23T12:00:00Z"));
const REGIONS = ["eu-west", "us-east"];

/** A store of an estate that has begun, or has not. */
function storeOf(begun: boolean): MemoryStore {
  const backend = new MemoryBackend(clock);
  if (begun) backend.commit({ compare: [], operations: [{ put: KEYS.releaseIntent, value: {} }] });
  return new MemoryStore(backend);
}

function begin(estate: Estate, begun = false, told: string[] = []) {
  const logger = { error: (_: object, message: string) => void told.push(message) };
  return firstRelease(estate, { store: storeOf(begun), clock, logger });
}

async function refusedBy(estate: Estate, region: string, release: LoadedRelease) {
  const { digest, body, signatures = [], parts = {} } = release;
  const verify = releaseVerifier({ trust: trustOf(estate, region), clock });
  return verify({ digest, body, signatures, parts });
}

describe("an estate that signs its releases itself", () => {
  test("makes a key at its first start that only it can read, and every region trusts it", async () => {
    const estate = estateWith();
    const release = (await begin(estate)) ?? assert.fail("it begins with a release");
    assert.equal(release.number, 1);
    assert.equal(statSync(join(estate.data.keys, "cosign.key")).mode & 0o777, 0o600);
    for (const region of REGIONS) {
      assert.equal(await refusedBy(estate, region, release), null);
      const unsigned = { ...release, signatures: [] };
      assert.match((await refusedBy(estate, region, unsigned)) ?? "", /RELEASE_UNSIGNED/);
    }
  });

  test("signs a release once, and gives the next one the next number", async () => {
    const estate = estateWith();
    const first = await begin(estate);
    assert.deepEqual(await begin(estate), first, "a restart finds what is signed");
    const prompt = join(dirname(estate.specPath), "release", "prompts", "assistant.md");
    writeFileSync(prompt, `${readFileSync(prompt, "utf8")}\nAnswer in full sentences.\n`);
    const second = await findRelease(join(dirname(estate.specPath), "release"), estate);
    assert.deepEqual([first?.number, second.number], [1, 2]);
    assert.equal(await refusedBy(estate, "us-east", second), null);
    await withLayout(estate.data.releases, async (store) => {
      for (const digest of [first?.digest ?? "", second.digest]) {
        assert.ok(await store.manifest(signatureTag(digest)), "the regions copy it from here");
      }
    });
  });

  test("takes a release of elsewhere into its layout only when somebody trusted has signed it", async () => {
    const [ours, theirs] = [await makeReleaseKeys(null), await makeReleaseKeys(null)];
    const release = { folder: "./release", signing: "embedded", trust: ["ours.pub"] };
    for (const [keys, expected] of [[ours, true] as const, [theirs, false] as const]) {
      const estate = estateWith({ release }, { "ours.pub": ours.publicKey });
      const layout = join(dirname(estate.specPath), "built");
      await signIn(layout, estate, keys);
      const { digest } = await findRelease(layout, estate);
      const here = await withLayout(estate.data.releases, (store) => store.manifest(digest));
      assert.equal(here !== null, expected);
    }
  });

  test("refuses to sign over a signature whose bytes were changed", async () => {
    const estate = estateWith();
    const { digest = "" } = (await begin(estate)) ?? {};
    const payload = await withLayout(estate.data.releases, async (store) => {
      const found = await store.manifest(signatureTag(digest));
      return JSON.parse(found?.bytes.toString() ?? "").layers[0].digest as string;
    });
    const file = join(estate.data.releases, "blobs", payload.replace(":", "/"));
    writeFileSync(file, readFileSync(file, "utf8").replace("tideover/", "tideoveR/"));
    await assert.rejects(begin(estate), { code: "ARTIFACT_CORRUPT", message: new RegExp(payload) });
  });
});

describe("an estate that trusts keys", () => {
  test("does not begin from a folder that nobody signed, and says where to sign it", async () => {
    const { publicKey } = await makeReleaseKeys(null);
    const estate = estateWith(trusting("ours.pub"), { "ours.pub": publicKey });
    await assert.rejects(begin(estate), {
      code: "RELEASE_UNSIGNED",
      message: /serves signed releases only, and its folder \.\/release is not one/,
      next: new RegExp(`release build ./release -o ${estate.data.releases}`),
    });
  });

  test("begins with the signature that lies in its own layout, and not with a stranger's", async () => {
    const [ours, theirs] = [await makeReleaseKeys(null), await makeReleaseKeys(null)];
    const estate = estateWith(trusting("ours.pub"), { "ours.pub": ours.publicKey });
    await signIn(estate.data.releases, estate, theirs);
    await assert.rejects(begin(estate), { code: "RELEASE_UNTRUSTED" });
    await signIn(estate.data.releases, estate, ours, { number: 7 });
    const release = (await begin(estate)) ?? assert.fail("it begins with a release");
    assert.equal(release.number, 7);
    assert.equal(await refusedBy(estate, "eu-west", release), null);
  });

  test("begins with a signature where its regions copy from", async () => {
    const ours = await makeReleaseKeys(null);
    const source = join(tempFolder(), "pushed");
    const estate = estateWith(
      { ...trusting("ours.pub"), artifacts: { from: source } },
      { "ours.pub": ours.publicKey },
    );
    await assert.rejects(begin(estate), { message: new RegExp(`and in ${source}`) });
    await signIn(source, estate, ours, { number: 3 });
    assert.equal((await begin(estate))?.number, 3);
  });

  test("goes on without its folder once it has begun: a restart fails for no edited file", async () => {
    const { publicKey } = await makeReleaseKeys(null);
    const estate = estateWith(trusting("ours.pub"), { "ours.pub": publicKey });
    const told: string[] = [];
    assert.equal(await begin(estate, true, told), null);
    assert.match(told.join(), /the release folder is not made known: .* bears no signature/);
  });

  test("tells two keys apart whose files have one name", async () => {
    const [old, next] = [await makeReleaseKeys(null), await makeReleaseKeys(null)];
    const estate = estateWith(trusting("old/cosign.pub", "new/cosign.pub"), {
      "old/cosign.pub": old.publicKey,
      "new/cosign.pub": next.publicKey,
    });
    assert.deepEqual(trustOf(estate, "eu-west")(), [old.publicKey, next.publicKey]);
    assert.deepEqual(namedTrust(estate)(), [old.publicKey, next.publicKey]);
  });

  test("says which trusted key is missing, and trusts nobody meanwhile", async () => {
    const { publicKey } = await makeReleaseKeys(null);
    const estate = estateWith(trusting("ours.pub"), { "ours.pub": publicKey });
    const gone = { ...estate, specPath: join(tempFolder(), "tideover.yaml") };
    assert.throws(() => trustOf(gone, "eu-west")(), {
      code: "KEY_INVALID",
      message: /the trusted key ours\.pub cannot be found/,
    });
    trustOf(estate, "eu-west");
    assert.deepEqual(trustOf(gone, "eu-west")(), [publicKey], "the region has its own copy");
  });
});

test("an estate that trusts nobody begins with its folder as it is", async () => {
  const estate = estateWith({ release: "./release" });
  const release = await begin(estate);
  assert.deepEqual([release?.digest, release?.signatures], [estate.release?.digest, []]);
});
