import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { blobOf, manifestOf, putReleaseOf, putSample } from "../../../test/support/artifacts.ts";
import { openLayout } from "../../adapters/artifacts-layout/layout.ts";
import { createSystemClock } from "../../adapters/clock-system/clock.ts";
import { TideoverError } from "../../lib/errors.ts";
import type { ArtifactSource, ArtifactStore } from "../../ports/artifacts.ts";
import { ArtifactKeeper } from "./keeper.ts";
import { addSignature } from "./release-store.ts";
import { withArtifacts } from "./releases.ts";

let folder: string;
let source: ArtifactStore;
let store: ArtifactStore;
let inUse: string[] | null;
const keepers: ArtifactKeeper[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tideover-keeper-"));
  source = openLayout({ folder: join(folder, "source") });
  store = openLayout({ folder: join(folder, "region") });
  inUse = [];
});
afterEach(async () => {
  await Promise.all(keepers.splice(0).map((keeper) => keeper.close()));
  await Promise.all([source.close(), store.close()]);
  await rm(folder, { recursive: true });
});

function keeperOf(from: ArtifactSource = source): ArtifactKeeper {
  const clock = createSystemClock();
  const options = { source: from, from: "the source", store, clock, inUse: async () => inUse };
  const keeper = new ArtifactKeeper(options);
  keepers.push(keeper);
  return keeper;
}

/** A source that is not there any more. */
function dead(): ArtifactSource {
  const gone = (): never => {
    throw new TideoverError("connection refused", { code: "ARTIFACTS_UNAVAILABLE" });
  };
  return {
    manifest: async () => gone(),
    blob: gone,
    has: async () => gone(),
    referrers: async () => gone(),
    tags: async () => gone(),
    close: async () => undefined,
  };
}

test("a turn brings every artifact that the source names, compares it and says so", async () => {
  const one = await putSample(source, "v1");
  const two = await putSample(source, "v2");
  const keeper = keeperOf();
  await keeper.keepUp();
  const { artifacts, error, freeBytes } = await keeper.status();
  assert.equal(error, null);
  assert.ok(freeBytes !== null && freeBytes > 0);
  assert.deepEqual(
    artifacts.map(({ digest, names, state }) => ({ digest, names, state })),
    [
      { digest: one.digest, names: ["v1"], state: "verified" },
      { digest: two.digest, names: ["v2"], state: "verified" },
    ],
  );
  for (const { bytes, remainingMs, referrers } of artifacts) {
    assert.ok(bytes !== null && bytes.total > 1_000_000);
    assert.deepEqual([bytes.present, bytes.verified], [bytes.total, bytes.total]);
    assert.deepEqual([bytes.missing, bytes.cached, remainingMs], [0, 0, 0]);
    assert.equal(referrers.length, 2);
  }
});

test("while it copies, status says how much is there and how long the rest takes", async () => {
  const { digest } = await putSample(source, "v1", 2_000_000);
  const halfway = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const slow: ArtifactSource = {
    ...dead(),
    manifest: (ref) => source.manifest(ref),
    tags: () => source.tags(),
    referrers: (of) => source.referrers(of),
    blob: async function* (descriptor, from = 0) {
      for await (const chunk of source.blob(descriptor, from)) {
        // The meter tells a rate once a moment has passed.
        await new Promise((resolve) => setTimeout(resolve, 2));
        yield chunk;
        halfway.resolve();
        await go.promise;
      }
    },
  };
  const keeper = keeperOf(slow);
  const turn = keeper.keepUp();
  await halfway.promise;
  const [held] = (await keeper.status()).artifacts;
  assert.equal(held?.state, "copying");
  const { bytes, rate, remainingMs } = held ?? {};
  assert.ok(bytes && bytes.cached > 0 && bytes.missing > 0);
  assert.equal(bytes.present + bytes.cached + bytes.missing, bytes.total);
  assert.ok(rate && remainingMs === Math.ceil((bytes.missing * 1_000) / rate));
  // Whoever asks for it meanwhile waits for as long as it may, and hears how far it is.
  const waiting = await keeper.fetch(digest, 1);
  assert.equal(waiting.complete, false);
  assert.match(waiting.detail, /copying, \d+ of \d+ bytes, \d+ s left/);
  go.resolve();
  await turn;
  assert.equal((await keeper.fetch(digest, 10_000)).complete, true);
});

test("a release that is here is found with every source gone, by a new process", async () => {
  const { digest } = await putSample(source, "v1");
  await keeperOf().keepUp();
  const later = keeperOf(dead());
  await assert.rejects(later.keepUp(), /connection refused/);
  assert.equal((await later.status()).error, "connection refused");
  assert.equal((await later.fetch(digest, 10_000)).complete, true);
  assert.match((await later.verify(digest)).detail, /verified/);
});

test("a flipped byte on the region's disk is refused with both digests, then mended", async () => {
  const { digest, blobs } = await putSample(source, "v1");
  await keeperOf().keepUp();
  const [, , victim] = blobs;
  assert.ok(victim !== undefined);
  const path = join(folder, "region", "blobs", ...victim.descriptor.digest.split(":"));
  const bytes = await readFile(path);
  bytes.writeUInt8(bytes.readUInt8(1_000) ^ 1, 1_000);
  await writeFile(path, bytes);
  const keeper = keeperOf();
  await assert.rejects(keeper.verify(digest), (error: unknown) => {
    assert.ok(error instanceof TideoverError && error.code === "ARTIFACT_CORRUPT");
    const words = `expected ${victim.descriptor.digest}, found sha256:`;
    assert.ok(error.message.includes(words), error.message);
    return true;
  });
  assert.equal((await keeper.status()).artifacts[0]?.state, "refused");
  await keeper.keepUp();
  assert.equal((await keeper.status()).artifacts[0]?.state, "verified");
  assert.equal((await keeper.verify(digest)).complete, true);
});

test("a signature that is added later follows", async () => {
  const { digest } = await putSample(source, "v1");
  const keeper = keeperOf();
  await keeper.keepUp();
  await addSignature(source, digest, { payload: "a second signature", signature: "c2lnbmVk" });
  await keeper.keepUp();
  assert.deepEqual(await store.referrers(digest), await source.referrers(digest));
});

test("what nobody names or uses is let go of, and never before", async () => {
  const old = await putSample(source, "v1");
  const keeper = keeperOf();
  await keeper.keepUp();
  await source.remove("v1");
  const next = await putSample(source, "v1");
  const kept = `kept-${old.digest.slice("sha256:".length)}`;
  // The store cannot be asked, or says that it is in use: it stays.
  for (const used of [null, [old.digest]]) {
    inUse = used;
    await keeper.keepUp();
    assert.ok((await store.tags()).includes(kept));
    assert.deepEqual(await store.unreachable(0), []);
  }
  inUse = [next.digest];
  await keeper.keepUp();
  assert.equal((await store.tags()).includes(kept), false);
  // Its bytes wait for a day: another process may be about to name them.
  assert.ok((await store.unreachable(0)).includes(old.digest));
  assert.equal((await keeper.verify(next.digest)).complete, true);
});

test("two who ask for one artifact share one copy", async () => {
  const { digest } = await putSample(source, "v1");
  let asked = 0;
  const counted = new Proxy(source, {
    get: (of, name) => {
      if (name === "blob") asked += 1;
      const value: unknown = Reflect.get(of, name);
      return typeof value === "function" ? value.bind(of) : value;
    },
  });
  const keeper = keeperOf(counted);
  const answers = await Promise.all([1, 2, 3].map(() => keeper.fetch(digest, 10_000)));
  assert.ok(answers.every(({ complete }) => complete));
  const blobs = new Set((await keeper.status()).artifacts.map(({ bytes }) => bytes?.total));
  assert.equal(blobs.size, 1);
  assert.ok(asked <= 10, `${asked} blobs were asked for`);
});

test("wrong bytes refuse the release to the controller; a known release still needs its bytes", async () => {
  const { digest, blobs } = await putSample(source, "v1");
  const keeper = keeperOf();
  const known = { complete: true, detail: "meridian 1.0.0" };
  const releases = withArtifacts({ fetch: async () => known, verify: async () => known }, keeper);
  const fetched = await releases.fetch(digest, 10_000);
  assert.equal(fetched.complete, true);
  assert.match(fetched.detail, /^meridian 1\.0\.0; sha256:.* verified/);
  const [, victim] = blobs;
  assert.ok(victim !== undefined);
  await writeFile(join(folder, "region", "blobs", ...victim.descriptor.digest.split(":")), "x");
  await assert.rejects(releases.verify(digest), { code: "RELEASE_INVALID" });
});

test("a release whose model is no model is refused where it lies, and its status says why", async () => {
  const weights = blobOf(1_000);
  const digest = await putReleaseOf(store, manifestOf([weights]), [weights]);
  const keeper = keeperOf(dead());
  const known = { complete: true, detail: "known" };
  const releases = withArtifacts({ fetch: async () => known, verify: async () => known }, keeper);
  await assert.rejects(releases.verify(digest), {
    code: "RELEASE_INVALID",
    message: /no CNCF ModelPack artifact/,
  });
  const [held] = (await keeper.status()).artifacts;
  assert.deepEqual([held?.digest, held?.state], [digest, "refused"]);
  assert.match(held?.error ?? "", /no CNCF ModelPack artifact/);
});

test("a source with one changed byte refuses the release at once, with both digests", async () => {
  const { digest, blobs } = await putSample(source, "v1");
  const broken = blobs.at(-2)?.descriptor.digest ?? "";
  const file = join(folder, "source", "blobs", ...broken.split(":"));
  const bytes = await readFile(file);
  bytes[7] = (bytes[7] ?? 0) ^ 1;
  await writeFile(file, bytes);
  const known = { complete: true, detail: "known" };
  const releases = withArtifacts(
    { fetch: async () => known, verify: async () => known },
    keeperOf(),
  );
  await assert.rejects(releases.fetch(digest, 10_000), {
    code: "RELEASE_INVALID",
    message: new RegExp(`expected ${broken}.*found sha256:|${broken}.*found sha256:`),
  });
});
