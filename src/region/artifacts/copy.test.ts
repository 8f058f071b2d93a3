import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import {
  blobOf,
  cutAfter,
  EMPTY,
  manifestOf,
  modelPackOf,
  putReleaseOf,
  putSample,
  readAll,
} from "../../../test/support/artifacts.ts";
import { openLayout } from "../../adapters/artifacts-layout/layout.ts";
import { TideoverError } from "../../lib/errors.ts";
import { signatureTag } from "../../model/artifact.ts";
import type { ArtifactSource, ArtifactStore } from "../../ports/artifacts.ts";
import { type CopyOptions, copyArtifact, keptTag } from "./copy.ts";
import { addSignature, readSignaturesFrom } from "./release-store.ts";

let folder: string;
let source: ArtifactStore;
let target: ArtifactStore;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tideover-copy-"));
  source = openLayout({ folder: join(folder, "source") });
  target = openLayout({ folder: join(folder, "target") });
});
afterEach(async () => {
  await Promise.all([source.close(), target.close()]);
  await rm(folder, { recursive: true });
});

const fileOf = (side: string, digest: string) => join(folder, side, "blobs", ...digest.split(":"));

function copy(more: Partial<CopyOptions> = {}) {
  return copyArtifact({ source, target, ref: "v1", pause: async () => undefined, ...more });
}

/** A place with some calls done another way. */
function changed<T extends object>(place: T, calls: Partial<T>): T {
  return new Proxy(place, {
    get: (of, name) => {
      const value: unknown = Reflect.get(name in calls ? calls : of, name);
      return typeof value === "function" ? value.bind(of) : value;
    },
  });
}

describe("a copy", () => {
  test("brings everything that the tag names, and all that speaks of it", async () => {
    const sample = await putSample(source, "v1");
    const report = await copy();
    assert.equal(report.digest, sample.digest);
    assert.deepEqual(report.referrers, [sample.signature, sample.sbom].sort());
    assert.deepEqual(report.extraReferrers, []);
    assert.equal((await target.manifest("v1"))?.digest, sample.digest);
    for (const { descriptor, bytes } of sample.blobs) {
      assert.ok((await readAll(target.blob(descriptor))).equals(bytes));
    }
    assert.deepEqual(await target.referrers(sample.digest), await source.referrers(sample.digest));
    assert.deepEqual(await target.tags(), await source.tags());
  });

  test("asks for nothing the second time", async () => {
    await putSample(source, "v1");
    const first = await copy();
    assert.ok(first.copiedBlobs > 0 && first.copiedBytes === first.totalBytes);
    const asked: string[] = [];
    const watched = changed(source, {
      blob: (descriptor, from) => {
        asked.push(descriptor.digest);
        return source.blob(descriptor, from);
      },
    });
    const second = await copy({ source: watched });
    assert.deepEqual([second.copiedBlobs, second.copiedManifests, second.copiedBytes], [0, 0, 0]);
    assert.deepEqual(asked, []);
  });

  test("by digest is kept under a name of its own, so that nobody collects it", async () => {
    const { digest } = await putSample(source, "v1");
    assert.equal((await copy({ ref: digest })).tag, keptTag(digest));
    assert.equal((await target.manifest(keptTag(digest)))?.digest, digest);
    const unreachable = await target.unreachable(0);
    assert.deepEqual(unreachable, []);
  });

  test("shows its tag only when all of it is there", async () => {
    const { digest, blobs } = await putSample(source, "v1");
    const order: string[] = [];
    const watched = changed(target, {
      putBlob: async (descriptor, bytes, from) => {
        await target.putBlob(descriptor, bytes, from);
        order.push("blob");
      },
      putManifest: (bytes, mediaType, tag) => {
        order.push(tag === "v1" ? "tag" : "manifest");
        return target.putManifest(bytes, mediaType, tag);
      },
    });
    await copy({ target: watched });
    assert.equal(order.indexOf("manifest"), order.lastIndexOf("blob") + 1);
    assert.equal(order.indexOf("tag"), order.length - 1);
    assert.ok(order.filter((one) => one === "blob").length >= blobs.length);
    assert.ok(await target.has(digest));
  });

  test("goes on where the source broke off, and asks for no byte twice", async () => {
    const { blobs } = await putSample(source, "v1");
    let asked = 0;
    let breaks = 0;
    const flaky = changed<ArtifactSource>(source, {
      blob: async function* (descriptor, from = 0) {
        for await (const chunk of source.blob(descriptor, from)) {
          // Small parts, and a break after each: never twice without a byte in between.
          const part = chunk.subarray(0, 50_000);
          asked += part.length;
          yield part;
          if (from + part.length >= descriptor.size) return;
          breaks += 1;
          throw new TideoverError("reset", { code: "ARTIFACTS_UNAVAILABLE" });
        }
      },
    });
    const report = await copy({ source: flaky });
    assert.ok(breaks > 10);
    assert.equal(asked, report.totalBytes);
    for (const { descriptor, bytes } of blobs) {
      assert.ok((await readAll(target.blob(descriptor))).equals(bytes));
    }
  });

  test("gives up on a source that gives nothing, and says so", async () => {
    await putSample(source, "v1");
    const dead = changed<ArtifactSource>(source, {
      blob: () => {
        throw new TideoverError("connection refused", { code: "ARTIFACTS_UNAVAILABLE" });
      },
    });
    await assert.rejects(copy({ source: dead }), { code: "ARTIFACTS_UNAVAILABLE" });
    assert.equal(await target.manifest("v1"), null);
  });

  test("that was cut goes on with the bytes that are kept", async () => {
    const { blobs } = await putSample(source, "v1", 400_000);
    const [big] = [...blobs].sort((a, b) => b.bytes.length - a.bytes.length);
    assert.ok(big !== undefined);
    await target.putBlob(big.descriptor, cutAfter(big.bytes, 500_000)).catch(() => undefined);
    const plans: number[] = [];
    const report = await copy({ onPlan: ({ bytes }) => plans.push(bytes.cached) });
    assert.deepEqual(plans, [500_000]);
    assert.equal(report.copiedBytes, report.totalBytes - 500_000);
    assert.ok((await readAll(target.blob(big.descriptor))).equals(big.bytes));
  });

  test("begins nothing on a disk that is too small, and says by how much", async () => {
    await putSample(source, "v1");
    let wrote = 0;
    const small = changed(target, {
      freeBytes: async () => 1_000_000,
      putBlob: async () => {
        wrote += 1;
      },
    });
    await assert.rejects(copy({ target: small }), (error: unknown) => {
      assert.ok(error instanceof TideoverError && error.code === "DISK_FULL");
      assert.match(error.message, /needs 6\d{7} bytes .* 1000000 are free: 6\d{7} are missing/);
      return true;
    });
    assert.equal(wrote, 0);
  });

  test("refuses one flipped byte anywhere in the source, with both digests", async () => {
    const sample = await putSample(source, "v1", 10_000);
    const all = [
      ...sample.blobs.map(({ descriptor }) => descriptor.digest),
      ...[sample.digest, sample.signature, sample.sbom],
    ];
    for (const digest of all) {
      const file = fileOf("source", digest);
      const good = await readFile(file);
      const bad = Buffer.from(good);
      const at = Math.floor(bad.length / 2);
      bad.writeUInt8(bad.readUInt8(at) ^ 1, at);
      await writeFile(file, bad);
      const fresh = openLayout({ folder: join(folder, `target-of-${digest.slice(7, 20)}`) });
      await assert.rejects(copy({ target: fresh }), (error: unknown) => {
        assert.ok(error instanceof TideoverError && error.code === "ARTIFACT_CORRUPT");
        assert.match(error.message, new RegExp(`expected ${digest}, found sha256:[0-9a-f]{64}`));
        return true;
      });
      assert.equal(await fresh.manifest("v1"), null);
      await fresh.close();
      await writeFile(file, good);
    }
    assert.equal((await copy()).digest, sample.digest);
  });

  test("mends what was found to be wrong in the target", async () => {
    const { blobs } = await putSample(source, "v1");
    await copy();
    const [, victim] = blobs;
    assert.ok(victim !== undefined);
    await writeFile(fileOf("target", victim.descriptor.digest), Buffer.alloc(victim.bytes.length));
    const report = await copy({ again: new Set([victim.descriptor.digest]) });
    assert.equal(report.copiedBlobs, 1);
    assert.ok((await readAll(target.blob(victim.descriptor))).equals(victim.bytes));
  });

  test("puts a wrong manifest of the target again by itself", async () => {
    const { digest } = await putSample(source, "v1");
    await copy();
    await writeFile(fileOf("target", digest), "{}");
    assert.equal((await copy()).copiedManifests, 1);
    assert.equal((await target.manifest("v1"))?.digest, digest);
  });

  test("fails when the target does not keep what speaks of it", async () => {
    const { signature } = await putSample(source, "v1");
    const forgetful = changed(target, { referrers: async () => [] });
    await assert.rejects(copy({ target: forgetful }), (error: unknown) => {
      assert.ok(error instanceof TideoverError && error.code === "ARTIFACT_MISSING");
      assert.ok(error.message.includes(signature));
      return true;
    });
  });

  test("leaves what only the target has of signatures, and names it", async () => {
    await putSample(source, "v1");
    const report = await copy();
    const { describeBy } = await import("../../../test/support/artifacts.ts");
    const root = await target.manifest("v1");
    assert.ok(root !== null);
    const subject = { mediaType: root.mediaType, digest: root.digest, size: root.bytes.length };
    const extra = await describeBy(target, subject, "a second opinion");
    assert.deepEqual((await copy()).extraReferrers, [extra]);
    assert.ok((await target.referrers(report.digest)).some(({ digest }) => digest === extra));
  });

  test("refuses a model that is no ModelPack artifact before anything is copied", async () => {
    const weights = blobOf(300_000);
    const digest = await putReleaseOf(source, manifestOf([weights]), [weights]);
    await assert.rejects(copy({ ref: digest }), {
      code: "ARTIFACT_INVALID",
      message: /is no CNCF ModelPack artifact: its artifactType is application\/vnd\.test\.thing/,
    });
    assert.equal(await target.has(weights.descriptor.digest), false);
  });

  test("brings the model of a release with it", async () => {
    const weights = blobOf(300_000);
    const digest = await putReleaseOf(source, modelPackOf([weights]), [weights]);
    assert.equal((await copy({ ref: digest })).digest, digest);
    assert.equal(await target.has(weights.descriptor.digest), true);
  });

  test("takes no signature away that the target has of somebody else, and adds its own", async () => {
    const { digest } = await putSample(source, "v1");
    await copy();
    const payload = (text: string) => ({ payload: text, signature: `c2lnbmVk${text}` });
    const [ours, both, theirs] = [payload("ours"), payload("both"), payload("theirs")];
    for (const one of [both, ours]) await addSignature(source, digest, one);
    for (const one of [both, theirs]) await addSignature(target, digest, one);
    const report = await copy();
    const texts = (await readSignaturesFrom(target, digest)).map((one) => one.payload);
    assert.deepEqual(texts.toSorted(), ["both", "ours", "theirs"]);
    assert.deepEqual(
      await target.tags(),
      await source.tags(),
      "under the tag that cosign looks at",
    );
    const [merged] = report.extraReferrers;
    assert.equal(merged, (await target.manifest(signatureTag(digest)))?.digest);
    assert.deepEqual(await copy(), {
      ...report,
      copiedBytes: 0,
      copiedBlobs: 0,
      copiedManifests: 0,
    });
  });

  test("gives the target the source's own manifest of signatures where it has no more", async () => {
    const { digest } = await putSample(source, "v1");
    await addSignature(source, digest, { payload: "first", signature: "Zmlyc3Q=" });
    await copy();
    await addSignature(source, digest, { payload: "second", signature: "c2Vjb25k" });
    assert.deepEqual((await copy()).extraReferrers, []);
    const tag = signatureTag(digest);
    assert.equal((await target.manifest(tag))?.digest, (await source.manifest(tag))?.digest);
  });

  test("fills a target again that loses what it was given", async () => {
    const { digest } = await putSample(source, "v1");
    let lost = false;
    const collected = changed(target, {
      putManifest: async (bytes, mediaType, tag) => {
        if (!lost) {
          lost = true;
          await target.remove(EMPTY.descriptor.digest);
        }
        return target.putManifest(bytes, mediaType, tag);
      },
    });
    await assert.rejects(copy({ target: collected }), { code: "ARTIFACT_MISSING" });
    assert.equal(await target.manifest("v1"), null);
    assert.equal((await copy({ target: collected })).digest, digest);
  });

  test("names what is missing in the source", async () => {
    await putSample(source, "v1");
    await assert.rejects(copy({ ref: "v2" }), /no manifest v2 in the source/);
  });

  test("ends at once when it is given up, and keeps what has come", async () => {
    await putSample(source, "v1", 3_000_000);
    const stop = new AbortController();
    let bytes = 0;
    const onBytes = (count: number): void => {
      bytes += count;
      if (bytes > 4_000_000) stop.abort(new Error("given up"));
    };
    await assert.rejects(copy({ onBytes, signal: stop.signal, parallel: 1 }), /given up/);
    const report = await copy();
    assert.ok(report.copiedBytes < report.totalBytes - 2_000_000);
  });
});
