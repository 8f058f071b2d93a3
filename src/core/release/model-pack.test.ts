import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MEDIA } from "../../model/artifact.ts";
import { buildRelease } from "./build.ts";
import { RELEASE, releaseWith, yaml } from "./files.fixture.ts";
import { modelPackFault, modelsNamedBy } from "./model-pack.ts";

const DIGEST = `sha256:${"5".repeat(64)}`;
const blob = (mediaType: string) => ({ mediaType, digest: DIGEST, size: 3 });
const weights = blob("application/vnd.cncf.model.weight.v1.raw");

/** As `modctl build` makes it. */
const MODEL = {
  schemaVersion: 2,
  mediaType: MEDIA.manifest,
  artifactType: "application/vnd.cncf.model.manifest.v1+json",
  config: blob("application/vnd.cncf.model.config.v1+json"),
  layers: [weights, blob("application/vnd.cncf.model.weight.config.v1.tar+gzip")],
};

const faultOf = (change: object): string | null =>
  modelPackFault(Buffer.from(JSON.stringify({ ...MODEL, ...change })));

describe("a ModelPack artifact", () => {
  test("is known by its own type, its config's and its layers'", () => {
    assert.equal(faultOf({}), null);
    for (const suffix of ["raw", "tar", "tar+gzip", "tar+zstd", "gguf", "safetensors"]) {
      const layers = [blob(`application/vnd.cncf.model.weight.v1.${suffix}`)];
      assert.equal(faultOf({ layers }), null);
    }
    for (const kind of ["doc", "code", "dataset", "weight.config"]) {
      const layers = [weights, blob(`application/vnd.cncf.model.${kind}.v1.tar`)];
      assert.equal(faultOf({ layers }), null);
    }
  });

  const others: readonly [what: string, change: object, fault: RegExp][] = [
    [
      "a container image",
      {
        artifactType: undefined,
        config: blob(MEDIA.imageConfig),
        layers: [blob("application/vnd.oci.image.layer.v1.tar+gzip")],
      },
      /artifactType is application\/vnd\.oci\.image\.config.*, expected application\/vnd\.cncf/,
    ],
    [
      "another tool's kit",
      { artifactType: "application/vnd.kitops.modelkit" },
      /modelkit, expected/,
    ],
    [
      "a foreign config",
      { config: blob(MEDIA.empty) },
      /config's media type is .*empty.*, expected/,
    ],
    [
      "one layer that is a container's",
      { layers: [weights, blob("application/vnd.oci.image.layer.v1.tar")] },
      /its layer sha256:5+ has the media type application\/vnd\.oci\.image\.layer/,
    ],
    [
      "the spec's older name",
      { layers: [blob("application/vnd.cnai.model.weight.v1.tar")] },
      /which is none of ModelPack's/,
    ],
    [
      "documents alone",
      { layers: [blob("application/vnd.cncf.model.doc.v1.raw")] },
      /no layer of w/,
    ],
    ["no layers at all", { layers: [] }, /no layer of weights/],
    ["an index", { config: undefined, layers: undefined, manifests: [] }, /is an index/],
    ["no manifest at all", { config: undefined, layers: undefined }, /is no manifest/],
  ];
  for (const [what, change, fault] of others) {
    test(`is not ${what}`, () => assert.match(faultOf(change) ?? "nothing wrong", fault));
  }
});

test("the models of a release are those that its index calls so", () => {
  const model = { digest: DIGEST, size: 9 };
  const image = { digest: `sha256:${"6".repeat(64)}`, size: 9 };
  const files = yaml("release.yaml", { ...RELEASE, artifacts: { runtime: { model, image } } });
  const { index } = buildRelease(releaseWith(files).files);
  assert.deepEqual(
    modelsNamedBy(index).map(({ digest }) => digest),
    [DIGEST],
  );
  assert.deepEqual(modelsNamedBy(Buffer.from(JSON.stringify(MODEL))), []);
  assert.deepEqual(modelsNamedBy(Buffer.from("no JSON")), []);
});
