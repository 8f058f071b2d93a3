import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { sha256 } from "../lib/canonical.ts";
import { createEmbedder } from "../runtime/embedding.ts";
import {
  EMBEDDING_PROBE_TEXT,
  embeddingFingerprint,
  referenceModelFingerprint,
} from "../wire/fingerprint.ts";
import { loadCorpus, loadGolden } from "./load-corpus.ts";
import { loadRelease } from "./load-release.ts";
import { loadSpec } from "./load-spec.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const examples = join(root, "examples");
const specs = [...globSync("*.yaml", { cwd: examples }), "estate/tideover.yaml"].sort();

test("there is an example for each kind of workflow, for a gateway alone, and for the demo", () => {
  assert.deepEqual(specs, [
    "agent.yaml",
    "decision-support.yaml",
    "estate/tideover.yaml",
    "gateway-only.yaml",
    "rag-search.yaml",
    "summarization.yaml",
  ]);
});

for (const name of specs) {
  const path = join(examples, name);

  test(`examples/${name} has no fault`, () => {
    assert.equal(loadSpec(path).spec.tideover, 1);
  });

  test(`examples/${name} names the schema for editors, and explains itself`, () => {
    const lines = readFileSync(path, "utf8").split("\n");
    const schema = relative(dirname(path), join(root, "tideover.schema.json"));
    assert.equal(lines[0], `# yaml-language-server: $schema=${schema}`);
    assert.ok(lines.filter((line) => line.includes("# ")).length >= 4);
    assert.deepEqual(
      lines.filter((line) => line.length > 105 && !line.includes("sha256:")),
      [],
    );
  });
}

const tenantsOf = (name: string) => loadSpec(join(examples, name)).spec.tenants;

test("the demo keys that the examples print are the ones that they accept", () => {
  for (const [tenant, { keys }] of Object.entries(tenantsOf("estate/tideover.yaml")))
    assert.deepEqual(keys, [sha256(`tk-demo-${tenant}`)]);
  assert.deepEqual(tenantsOf("gateway-only.yaml").acme?.keys, [sha256("tk-demo-acme")]);
});

test("the demo estate says how late its pipeline may be, and no demo lasts so long", () => {
  const { spec } = loadSpec(join(examples, "estate/tideover.yaml"));
  assert.equal(spec.indexes.handbook?.freshness?.maxAge, 24 * 3_600_000);
});

test("the release's fingerprints are those of the reference runtime that the demo starts", () => {
  const { body } = loadRelease(join(examples, "estate/release"));
  const { spec } = loadSpec(join(examples, "estate/tideover.yaml"));
  for (const { components } of Object.values(spec.regions)) {
    const reference = components.runtime.targets[0]?.reference;
    assert.ok(reference !== undefined);
    assert.equal(reference.modelDigest, body.model.digest);
    assert.equal(body.model.fingerprint, referenceModelFingerprint(reference.modelDigest));
    const { embed, dimensions } = createEmbedder({ salt: reference.embeddingSalt });
    assert.equal(body.embedding?.dimensions, dimensions);
    assert.equal(body.embedding?.fingerprint, embeddingFingerprint(embed(EMBEDDING_PROBE_TEXT)));
  }
});

test("golden questions ask for documents that exist and that their tenant may see", () => {
  const corpus = loadCorpus(join(examples, "estate/corpus"));
  const golden = loadGolden(join(examples, "estate/golden.yaml"));
  const audiences = new Map(corpus.map(({ id, audience }) => [id, audience]));
  for (const { id, tenant, documents } of golden.questions)
    for (const document of documents)
      assert.ok(["public", tenant].includes(audiences.get(document) ?? ""), `${id}: ${document}`);
  const texts = new Map(corpus.map(({ id, text }) => [id, text]));
  for (const { tenant, document, phrase } of golden.canaries) {
    assert.equal(audiences.get(document), tenant);
    assert.deepEqual(
      [...texts].filter(([, text]) => text.includes(phrase)).map(([id]) => id),
      [document],
    );
  }
});
