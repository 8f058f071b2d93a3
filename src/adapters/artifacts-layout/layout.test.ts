import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { artifactsContract } from "../../../test/contract/artifacts.ts";
import { blobOf, cutAfter, inParts, putSample } from "../../../test/support/artifacts.ts";
import { openLayout } from "./layout.ts";

artifactsContract("layout", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tideover-layout-"));
  return {
    open: async () => openLayout({ folder }),
    fileOf: (digest) => join(folder, "blobs", ...digest.split(":")),
    resumes: true,
    untags: true,
    end: () => rm(folder, { recursive: true }),
  };
});

async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tideover-layout-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

test("looking at a folder that is not there makes nothing", async (t) => {
  const folder = join(await folderFor(t), "not-there");
  const store = openLayout({ folder });
  assert.equal(await store.manifest("v1"), null);
  assert.deepEqual(await store.tags(), []);
  await store.close();
  await assert.rejects(readdir(folder), { code: "ENOENT" });
});

test("what another tool noted in index.json is kept", async (t) => {
  const folder = await folderFor(t);
  const store = openLayout({ folder });
  t.after(() => store.close());
  await putSample(store, "v1", 1_000);
  const path = join(folder, "index.json");
  const index = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...index, annotations: { "org.example": "kept" } }));
  await putSample(store, "v2", 1_000);
  const after = JSON.parse(await readFile(path, "utf8"));
  assert.deepEqual(after.annotations, { "org.example": "kept" });
  assert.deepEqual(
    (await store.tags()).filter((tag) => tag.startsWith("v")),
    ["v1", "v2"],
  );
});

for (const [what, text] of [
  ["cut short", '{"schemaVersion":2,"manifests":[{"me'],
  ["of another shape", '{"schemaVersion":1}'],
] as const) {
  test(`an index.json that is ${what} is refused, and not taken for an empty one`, async (t) => {
    const folder = await folderFor(t);
    const store = openLayout({ folder });
    t.after(() => store.close());
    await writeFile(join(folder, "index.json"), text);
    for (const call of [() => store.tags(), () => store.manifest("v1"), () => store.remove("v1")]) {
      await assert.rejects(call, { code: "ARTIFACT_CORRUPT" });
    }
    assert.equal(await readFile(join(folder, "index.json"), "utf8"), text);
  });
}

test("a folder that cannot be written to is told of, with what to do", async (t) => {
  const folder = join(await folderFor(t), "a-file");
  await writeFile(folder, "");
  const store = openLayout({ folder });
  t.after(() => store.close());
  const blob = blobOf("x");
  await assert.rejects(store.putBlob(blob.descriptor, inParts(blob.bytes)), {
    code: "DISK_NOT_WRITABLE",
  });
});

test("a living writer's bytes are left alone", async (t) => {
  const folder = await folderFor(t);
  const [one, two] = [openLayout({ folder }), openLayout({ folder })];
  t.after(() => Promise.all([one.close(), two.close()]));
  const blob = blobOf(500_000);
  await assert.rejects(one.putBlob(blob.descriptor, cutAfter(blob.bytes, 300_000)), /cut/);
  assert.equal(await two.partial(blob.descriptor.digest), 0);
  assert.equal(await one.partial(blob.descriptor.digest), 300_000);
});

test("what a writer left that nobody can use is cleared away", async (t) => {
  const folder = await folderFor(t);
  const dead = join(folder, ".tideover", "partial", "dead");
  await mkdir(dead, { recursive: true });
  await writeFile(join(dead, "draft-1"), "half a manifest");
  const store = openLayout({ folder });
  await store.partial(blobOf("x").descriptor.digest);
  await store.close();
  assert.deepEqual(await readdir(join(folder, ".tideover", "partial")), []);
});
