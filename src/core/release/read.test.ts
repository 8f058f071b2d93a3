import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalJson, sha256 } from "../../lib/canonical.ts";
import { TideoverError } from "../../lib/errors.ts";
import { imageIndexSchema, imageManifestSchema, MEDIA } from "../../model/artifact.ts";
import { buildRelease, partsOf } from "./build.ts";
import { FILES } from "./files.fixture.ts";
import { bytesOf } from "./files.ts";
import { readParts } from "./read.ts";

const BUILT = buildRelease(FILES);

function refusal(digest: string, parts: ReadonlyMap<string, Uint8Array>): TideoverError {
  try {
    readParts(digest, parts);
  } catch (error) {
    assert.ok(error instanceof TideoverError, String(error));
    return error;
  }
  return assert.fail("it was read");
}

test("one flipped bit in any part is refused with the digest expected and the digest found", () => {
  const digests = [...partsOf(BUILT).keys()];
  fc.assert(
    fc.property(
      fc.constantFrom(...digests),
      fc.nat(),
      fc.integer({ min: 0, max: 7 }),
      (digest, at, bit) => {
        const parts = partsOf(BUILT);
        const bytes = Buffer.from(parts.get(digest) ?? []);
        const place = at % bytes.length;
        bytes[place] = (bytes[place] ?? 0) ^ (1 << bit);
        const { code, message, next } = refusal(BUILT.digest, new Map([...parts, [digest, bytes]]));
        assert.equal(code, "RELEASE_TAMPERED");
        assert.ok(message.endsWith(`expected ${digest}, found ${sha256(bytes)}`), message);
        assert.match(next ?? "", /Copy the release again/);
      },
    ),
    { numRuns: 500 },
  );
});

test("a part that was cut short or is not there is refused by its digest", () => {
  for (const [digest, bytes] of partsOf(BUILT)) {
    const cut = new Map([...partsOf(BUILT), [digest, bytes.subarray(1)]]);
    assert.equal(refusal(BUILT.digest, cut).code, "RELEASE_TAMPERED");
    const less = partsOf(BUILT);
    less.delete(digest);
    const { code, message } = refusal(BUILT.digest, less);
    assert.equal(code, "ARTIFACT_MISSING");
    assert.ok(message.includes(digest), message);
  }
});

/** The release with another bundle manifest, and everything above it made to fit. */
function withLayers(change: (layers: ReturnType<typeof layersOf>) => ReturnType<typeof layersOf>) {
  const parts = partsOf(BUILT);
  const manifest = imageManifestSchema.parse(JSON.parse(`${BUILT.manifests[0]?.bytes}`));
  const bundle = Buffer.from(canonicalJson({ ...manifest, layers: change(manifest.layers) }));
  const index = imageIndexSchema.parse(JSON.parse(`${BUILT.index}`));
  const [own, ...others] = index.manifests;
  const named = { ...own, digest: sha256(bundle), size: bundle.length };
  const bytes = Buffer.from(canonicalJson({ ...index, manifests: [named, ...others] }));
  const digest = sha256(bytes);
  return { digest, parts: new Map([...parts, [named.digest, bundle], [digest, bytes]]) };
}
const layersOf = (): ReturnType<typeof imageManifestSchema.parse>["layers"] => [];

test("a bundle that its signer wrote wrongly is refused, though every digest fits", () => {
  const title = "org.opencontainers.image.title";
  const cases: [RegExp, ReturnType<typeof withLayers>][] = [
    [
      /"\.\.\/\.\.\/etc\/passwd" is no file of a release/,
      withLayers((layers) =>
        layers.map((one) => ({ ...one, annotations: { [title]: "../../etc/passwd" } })),
      ),
    ],
    [/stands in the bundle twice/, withLayers((layers) => [...layers, ...layers.slice(0, 1)])],
    [/release\.yaml: .*expected/, withLayers((layers) => layers.slice(0, -3))],
    [
      /config says other things than its files/,
      withLayers((layers) =>
        layers.filter(({ annotations }) => annotations?.[title] !== "evaluation.yaml"),
      ),
    ],
    [
      /has \d+ bytes, its manifest says 1$/,
      withLayers((layers) => layers.map((one) => ({ ...one, size: 1 }))),
    ],
  ];
  for (const [expected, { digest, parts }] of cases) {
    const { code, message } = refusal(digest, parts);
    assert.deepEqual([code, expected.test(message)], ["RELEASE_INVALID", true], message);
  }
});

test("a file that is not written as a build writes it is refused", () => {
  const [file] = FILES.filter(({ path }) => path === "release.yaml");
  assert.ok(file !== undefined);
  const loose = Buffer.from(JSON.stringify(file.data));
  const { digest, parts } = withLayers((layers) =>
    layers.map((one) =>
      one.digest === sha256(bytesOf(file))
        ? { ...one, digest: sha256(loose), size: loose.length }
        : one,
    ),
  );
  const { message } = refusal(digest, new Map([...parts, [sha256(loose), loose]]));
  assert.match(message, /release\.yaml is not written as a release's files are/);
});

test("an artifact of another kind is no release", () => {
  const bytes = Buffer.from(
    canonicalJson({ schemaVersion: 2, manifests: [], mediaType: MEDIA.index }),
  );
  const { code, message } = refusal(sha256(bytes), new Map([[sha256(bytes), bytes]]));
  assert.equal(code, "RELEASE_INVALID");
  assert.match(message, /is an index, and not that of a release/);
});
