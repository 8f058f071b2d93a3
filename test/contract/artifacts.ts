import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { MEDIA } from "../../src/model/artifact.ts";
import type { ArtifactStore } from "../../src/ports/artifacts.ts";
import {
  blobOf,
  cutAfter,
  describeBy,
  descriptorOf,
  digestOfBytes,
  indexOf,
  inParts,
  type MadeBlob,
  manifestOf,
  putBlobs,
  putSample,
  readAll,
  sign,
} from "../support/artifacts.ts";

/** One place for artifacts, empty at first. */
export interface ArtifactsWorld {
  /** Another handle on the same place, as another process has. */
  open(): Promise<ArtifactStore>;
  /** The file that holds the bytes of a digest: to break it. */
  fileOf(digest: string): string;
  /** Whether bytes of an interrupted blob are kept. */
  readonly resumes: boolean;
  /** Whether a tag can be let go of. */
  readonly untags: boolean;
  end(): Promise<void>;
}

export interface ContractOptions {
  /** Why the suite is skipped; false to run it. */
  readonly skip: string | false;
}

/** What every adapter of the artifacts port gives (see src/ports/artifacts.ts). */
export function artifactsContract(
  name: string,
  makeWorld: () => Promise<ArtifactsWorld>,
  { skip }: ContractOptions = { skip: false },
): void {
  describe(`artifacts contract: ${name}`, { skip }, () => {
    let world: ArtifactsWorld;
    let store: ArtifactStore;

    before(async () => {
      world = await makeWorld();
      store = await world.open();
    });
    after(async () => {
      await store.close();
      await world.end();
    });

    const put = (blob: MadeBlob, at = store) => at.putBlob(blob.descriptor, inParts(blob.bytes));

    test("what is not there is a value, and no error", async () => {
      const nobody = blobOf("never put").descriptor;
      assert.equal(await store.manifest("nothing"), null);
      assert.equal(await store.manifest(nobody.digest), null);
      assert.equal(await store.has(nobody.digest), false);
      assert.deepEqual(await store.referrers(nobody.digest), []);
      assert.equal(await store.partial(nobody.digest), 0);
      assert.deepEqual(await store.tags(), []);
      await assert.rejects(readAll(store.blob(nobody)), { code: "ARTIFACT_MISSING" });
    });

    test("a blob is given back as it was put, whole or from a place on", async () => {
      const blob = blobOf(3_000_001);
      await put(blob);
      assert.equal(await store.has(blob.descriptor.digest), true);
      assert.equal(await store.has(blob.descriptor.digest, 3_000_001), true);
      assert.equal(await store.has(blob.descriptor.digest, 3_000_000), false);
      assert.deepEqual(await readAll(store.blob(blob.descriptor)), blob.bytes);
      for (const from of [0, 1, 1_048_576, 3_000_000, 3_000_001]) {
        const rest = await readAll(store.blob(blob.descriptor, from));
        assert.ok(rest.equals(blob.bytes.subarray(from)), `from ${from}`);
      }
    });

    test("an empty blob is a blob", async () => {
      const empty = blobOf("");
      await put(empty);
      assert.equal(await store.has(empty.descriptor.digest, 0), true);
      assert.deepEqual(await readAll(store.blob(empty.descriptor)), Buffer.alloc(0));
    });

    test("a wrong byte is refused with both digests, and nothing is visible", async () => {
      const blob = blobOf(200_000);
      const wrong = Buffer.from(blob.bytes);
      wrong.writeUInt8(wrong.readUInt8(123_456) ^ 1, 123_456);
      const { digest } = blob.descriptor;
      await assert.rejects(store.putBlob(blob.descriptor, inParts(wrong)), (error: Error) => {
        assert.match(
          error.message,
          new RegExp(`expected ${digest}, found ${digestOfBytes(wrong)}`),
        );
        return true;
      });
      assert.equal(await store.has(digest), false);
      assert.equal(await store.partial(digest), 0);
      await put(blob);
      assert.deepEqual(await readAll(store.blob(blob.descriptor)), blob.bytes);
    });

    test("bytes beyond the stated size are refused before they fill anything", async () => {
      const blob = blobOf("short");
      let given = 0;
      async function* endless() {
        for (; given < 1_000; given += 1) yield Buffer.alloc(65_536);
      }
      await assert.rejects(store.putBlob(blob.descriptor, endless()), { code: "ARTIFACT_CORRUPT" });
      assert.ok(given < 10, `${given} parts were taken`);
      assert.equal(await store.has(blob.descriptor.digest), false);
    });

    test("a write that was cut goes on where it ended, in another process too", async () => {
      const blob = blobOf(5_000_000);
      const { digest } = blob.descriptor;
      const first = await world.open();
      const cut = first.putBlob(blob.descriptor, cutAfter(blob.bytes, 3_000_000));
      await assert.rejects(cut, /cut/);
      await first.close();
      assert.equal(await store.has(digest), false);
      const kept = await store.partial(digest);
      assert.equal(kept, world.resumes ? 3_000_000 : 0);
      await store.putBlob(blob.descriptor, inParts(blob.bytes.subarray(kept)), kept);
      assert.ok((await readAll(store.blob(blob.descriptor))).equals(blob.bytes));
      assert.equal(await store.partial(digest), 0);
    });

    test("bytes that do not follow on what is kept are refused", async () => {
      const blob = blobOf(100_000);
      const rest = store.putBlob(blob.descriptor, inParts(blob.bytes.subarray(7)), 7);
      await assert.rejects(rest, { code: "STORE_CONFLICT", retry: "now" });
      assert.equal(await store.has(blob.descriptor.digest), false);
    });

    test("a blob that ends early is no blob, and may be asked for again", async () => {
      const blob = blobOf(100_000);
      const early = store.putBlob(blob.descriptor, inParts(blob.bytes.subarray(0, 99_999)));
      await assert.rejects(early, { code: "ARTIFACTS_UNAVAILABLE", retry: "now" });
      assert.equal(await store.has(blob.descriptor.digest), false);
      const kept = await store.partial(blob.descriptor.digest);
      await store.putBlob(blob.descriptor, inParts(blob.bytes.subarray(kept)), kept);
      assert.equal(await store.has(blob.descriptor.digest, 100_000), true);
    });

    test("a manifest is found by its tag and by its digest, byte for byte", async () => {
      const layer = blobOf("a layer");
      await putBlobs(store, [layer]);
      // Other white space is another digest: nothing may be written anew on the way.
      const bytes = Buffer.from(
        JSON.stringify(JSON.parse(manifestOf([layer]).toString()), null, 3),
      );
      const digest = await store.putManifest(bytes, MEDIA.manifest, "v1");
      assert.equal(digest, digestOfBytes(bytes));
      for (const ref of ["v1", digest]) {
        const found = await store.manifest(ref);
        assert.deepEqual(found, { bytes, digest, mediaType: MEDIA.manifest });
      }
      assert.equal(await store.has(digest, bytes.length), true);
    });

    test("a manifest whose blob is not there is refused, and no tag names it", async () => {
      const bytes = manifestOf([blobOf("not put")]);
      await assert.rejects(store.putManifest(bytes, MEDIA.manifest, "half"), {
        code: "ARTIFACT_MISSING",
      });
      assert.equal(await store.manifest("half"), null);
    });

    test("a tag moves as a whole, and tags are listed sorted", async () => {
      const [one, two] = [blobOf("one"), blobOf("two")];
      await putBlobs(store, [one, two]);
      const first = await store.putManifest(manifestOf([one]), MEDIA.manifest, "moving");
      const second = await store.putManifest(manifestOf([two]), MEDIA.manifest, "moving");
      await store.putManifest(manifestOf([two]), MEDIA.manifest, "a-second-name");
      assert.equal((await store.manifest("moving"))?.digest, second);
      assert.equal((await store.manifest(first))?.digest, first);
      const tags = (await store.tags()).filter((tag) => tag !== "v1");
      assert.deepEqual(tags, ["a-second-name", "moving"]);
    });

    test("an index is kept with what it names", async () => {
      const layer = blobOf("of an index");
      await putBlobs(store, [layer]);
      const child = manifestOf([layer]);
      await store.putManifest(child, MEDIA.manifest);
      const digest = await store.putManifest(indexOf([child]), MEDIA.index, "an-index");
      const found = await store.manifest("an-index");
      assert.deepEqual([found?.digest, found?.mediaType], [digest, MEDIA.index]);
      assert.equal((await store.manifest(digestOfBytes(child)))?.mediaType, MEDIA.manifest);
    });

    test("what speaks of a digest is listed: cosign's tags and subjects, each once", async () => {
      const layer = blobOf("signed");
      await putBlobs(store, [layer]);
      const bytes = manifestOf([layer]);
      const digest = await store.putManifest(bytes, MEDIA.manifest, "signed");
      const signature = await sign(store, digest, "signature");
      const sboms = await Promise.all(
        ["sbom 1", "sbom 2"].map((text) => describeBy(store, descriptorOf(bytes), text)),
      );
      const again = await describeBy(store, descriptorOf(bytes), "sbom 1");
      assert.equal(again, sboms[0]);
      const found = await store.referrers(digest);
      assert.deepEqual(
        found.map((one) => one.digest),
        [signature, ...sboms].sort(),
      );
      const tagged = found.find((one) => one.digest === signature);
      const tag = tagged?.annotations?.["org.opencontainers.image.ref.name"];
      assert.equal(tag, `${digest.replace(":", "-")}.sig`);
      assert.ok(
        found.every(({ artifactType }) => artifactType === "application/vnd.test.thing.v1"),
      );
    });

    test("two processes write at once: every blob and every tag is there", async () => {
      const others = await Promise.all([world.open(), world.open()]);
      const shared = blobOf(2_000_000);
      await Promise.all(
        others.flatMap((other, at) =>
          [1, 2, 3].map(async (n) => {
            const own = blobOf(`blob ${n} of ${at}`);
            await put(shared, other);
            await putBlobs(other, [own]);
            await other.putManifest(manifestOf([shared, own]), MEDIA.manifest, `at-${at}-${n}`);
          }),
        ),
      );
      await Promise.all(others.map((other) => other.close()));
      const tags = (await store.tags()).filter((tag) => tag.startsWith("at-"));
      assert.deepEqual(tags, ["at-0-1", "at-0-2", "at-0-3", "at-1-1", "at-1-2", "at-1-3"]);
      assert.ok((await readAll(store.blob(shared.descriptor))).equals(shared.bytes));
    });

    test("what a tag reaches is not removed; what none reaches may be", async () => {
      const { digest, blobs, manifests } = await putSample(store, "kept", 1_000);
      const children = manifests.map((bytes) => digestOfBytes(bytes));
      for (const held of [digest, ...children, ...blobs.map((one) => one.descriptor.digest)]) {
        await assert.rejects(store.remove(held), { code: "ARTIFACT_IN_USE" });
        assert.equal(await store.has(held), true, held);
      }
      const loose = blobOf("of nobody");
      await put(loose);
      await store.remove(loose.descriptor.digest);
      assert.equal(await store.has(loose.descriptor.digest), false);
      await store.remove(loose.descriptor.digest);
    });

    test("one flipped byte is refused wherever it is read, and mended by another put", async () => {
      const blob = blobOf(70_000);
      await putBlobs(store, [blob]);
      const bytes = manifestOf([blob]);
      const digest = await store.putManifest(bytes, MEDIA.manifest, "flipped");
      const path = world.fileOf(blob.descriptor.digest);
      for (const at of [0, 35_000, 69_999]) {
        const found = await flip(path, at);
        await assert.rejects(readAll(store.blob(blob.descriptor)), (error: Error) => {
          const words = `expected ${blob.descriptor.digest}, found ${found}`;
          assert.ok(error.message.includes(words), error.message);
          return true;
        });
        await flip(path, at);
      }
      assert.ok((await readAll(store.blob(blob.descriptor))).equals(blob.bytes));
      await flip(world.fileOf(digest), 40);
      for (const ref of [digest, "flipped"]) {
        // A registry that notices by itself gives nothing at all.
        await assert.rejects(store.manifest(ref), (error: Error & { code?: string }) =>
          ["ARTIFACT_CORRUPT", "ARTIFACTS_UNAVAILABLE"].includes(error.code ?? ""),
        );
      }
    });

    test("a truncated blob is refused", async () => {
      const blob = blobOf(70_000);
      await put(blob);
      const path = world.fileOf(blob.descriptor.digest);
      await writeFile(path, blob.bytes.subarray(0, 69_000));
      assert.equal(await store.has(blob.descriptor.digest, 70_000), false);
      await assert.rejects(
        readAll(store.blob(blob.descriptor)),
        (error: Error & { code?: string }) =>
          ["ARTIFACT_CORRUPT", "ARTIFACTS_UNAVAILABLE"].includes(error.code ?? ""),
      );
    });

    test("a tag that is let go of names nothing, and what it named may then be removed", async () => {
      const { digest, signature } = await putSample(store, "to-go", 1_000);
      if (!world.untags) {
        // Said, and not passed over: whoever asked must not believe that it is gone.
        await assert.rejects(store.remove("to-go"), { code: "ARTIFACTS_UNAVAILABLE" });
        assert.equal((await store.manifest("to-go"))?.digest, digest);
        return;
      }
      await store.remove("to-go");
      assert.equal(await store.manifest("to-go"), null);
      const unreachable = await store.unreachable(0);
      assert.ok(unreachable.includes(digest) && unreachable.includes(signature));
      for (const one of unreachable) await store.remove(one);
      assert.equal(await store.has(digest), false);
      assert.deepEqual(await store.unreachable(0), []);
      assert.notEqual(await store.manifest("kept"), null);
    });
  });
}

/** Turns one bit over, and gives the digest that the file has then. */
async function flip(path: string, at: number): Promise<string> {
  const bytes = await readFile(path);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
  await writeFile(path, bytes);
  return digestOfBytes(bytes);
}
