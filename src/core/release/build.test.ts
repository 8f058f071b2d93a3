import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sha256 } from "../../lib/canonical.ts";
import { imageIndexSchema, imageManifestSchema, MEDIA } from "../../model/artifact.ts";
import { buildRelease, partsOf } from "./build.ts";
import { FILES, prompt, RELEASE, yaml } from "./files.fixture.ts";
import { bodyOf, bytesOf, fileOf, type ReleaseFile } from "./files.ts";
import { missingParts, readParts } from "./read.ts";

const BUILT = buildRelease(FILES);
const ARTIFACT = { digest: `sha256:${"a".repeat(64)}`, size: 700 };
const IMAGE = { digest: `sha256:${"b".repeat(64)}`, size: 900, mediaType: MEDIA.index };
const WITH_ARTIFACTS = [
  yaml("release.yaml", { ...RELEASE, artifacts: { runtime: { image: IMAGE, model: ARTIFACT } } }),
  ...FILES.slice(1),
];

/** The value with its keys in another order, at every depth. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, member]) => [key, turned(member)]),
  );
}

test("the same files give the same digest, in whatever order they and their keys come", () => {
  fc.assert(
    fc.property(
      fc.shuffledSubarray([...FILES], { minLength: FILES.length }),
      fc.boolean(),
      (files, turn) => {
        const given = files.map((file) => (turn ? { ...file, data: turned(file.data) } : file));
        assert.equal(buildRelease(given).digest, BUILT.digest);
      },
    ),
  );
});

test("another word in any file is another digest", () => {
  const changed: ReleaseFile[] = FILES.map((file) =>
    file.text === null
      ? yaml(file.path, JSON.parse(JSON.stringify(file.data).replace(/\d+(?=[,}])/, "7")))
      : { ...file, text: `${file.text} Always.` },
  );
  const digests = changed
    .filter((file, at) => !bytesOf(file).equals(bytesOf(FILES[at] ?? file)))
    .map((file) => buildRelease(FILES.map((one) => (one.path === file.path ? file : one))).digest);
  assert.ok(digests.length >= 4);
  assert.equal(new Set([...digests, BUILT.digest]).size, digests.length + 1);
});

test("a release is an OCI index that names its bundle first, then model and image by role", () => {
  const { index } = buildRelease(WITH_ARTIFACTS);
  const { manifests, annotations } = imageIndexSchema.parse(JSON.parse(`${index}`));
  assert.deepEqual(annotations, {
    "org.opencontainers.image.title": "meridian",
    "org.opencontainers.image.version": "1.0.0",
    "tideover.type": "application/vnd.tideover.release.v1+json",
  });
  assert.deepEqual(
    manifests.map(({ mediaType, size, annotations }) => [
      annotations?.["tideover.component"],
      annotations?.["tideover.role"],
      mediaType === MEDIA.index,
      size > 0,
    ]),
    [
      ["release", "bundle", false, true],
      ["runtime", "model", false, true],
      ["runtime", "runtime-image", true, true],
    ],
  );
});

test("no index and no descriptor in one bears what older skopeo drops, and the digest with it", () => {
  assert.doesNotMatch(`${buildRelease(WITH_ARTIFACTS).index}`, /artifactType|"data"|subject/);
});

test("the bundle has one layer a file, titled by its path, so that OCI tools pull the files", () => {
  const [bundle] = BUILT.manifests;
  const { layers, config } = imageManifestSchema.parse(JSON.parse(`${bundle?.bytes}`));
  assert.deepEqual(
    layers.map(({ annotations }) => annotations?.["org.opencontainers.image.title"]),
    FILES.map(({ path }) => path).sort(),
  );
  assert.equal(config.mediaType, "application/vnd.tideover.bundle.config.v1+json");
  for (const { descriptor, bytes } of BUILT.blobs) {
    assert.deepEqual([descriptor.digest, descriptor.size], [sha256(bytes), bytes.length]);
  }
});

test("nothing of a machine or a moment is in it", () => {
  const all = [...partsOf(BUILT).values()].join("\n");
  assert.doesNotMatch(all, /created|date|20\d\d-\d\d-\d\dT|\/(home|tmp|work)/);
});

test("what was built reads back as the same files and the same body", () => {
  const built = buildRelease(WITH_ARTIFACTS);
  const read = readParts(built.digest, partsOf(built));
  assert.deepEqual(read.body, bodyOf(WITH_ARTIFACTS));
  assert.equal(buildRelease(read.files).digest, built.digest);
  assert.deepEqual(
    read.artifacts.map(({ digest }) => digest),
    [ARTIFACT.digest, IMAGE.digest],
  );
});

test("a file's bytes are read back as what they say, whatever a person writes in it", () => {
  const text = fc
    .string({ unit: "binary" })
    .map((raw) => raw.replace(/\r\n?/g, "\n").trim())
    .filter((one) => one !== "" && one.isWellFormed());
  fc.assert(
    fc.property(text, fc.string({ unit: "binary" }), (body, description) => {
      const file = prompt("one", body, { description, variables: { tenant: "text" } });
      assert.deepEqual(fileOf(file.path, bytesOf(file)), {
        ...file,
        data: JSON.parse(JSON.stringify(file.data)),
      });
    }),
  );
});

test("what is missing of a release is asked for level by level", () => {
  const all = partsOf(BUILT);
  const have = new Map<string, Uint8Array>();
  const rounds: string[][] = [];
  for (let wanted = missingParts(BUILT.digest, have); wanted.length > 0; ) {
    rounds.push(wanted.map(({ as }) => as));
    for (const part of wanted) {
      const digest = part.as === "manifest" ? part.digest : part.descriptor.digest;
      have.set(digest, all.get(digest) ?? Buffer.of());
    }
    wanted = missingParts(BUILT.digest, have);
  }
  const blobs = Array.from({ length: FILES.length + 1 }, () => "blob");
  assert.deepEqual(rounds, [["manifest"], ["manifest"], blobs]);
  assert.deepEqual(readParts(BUILT.digest, have).body, BUILT.body);
});
