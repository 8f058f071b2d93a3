import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { openEstate } from "./estate.ts";
import { freePortCopy } from "./free-ports.ts";
import { tempFolder } from "./temp-data.fixture.ts";

const SAMPLE = fileURLToPath(new URL("../../examples/estate", import.meta.url));
const PORTS = /127\.0\.0\.1:\d+/g;

/** The sample estate in a folder of its own, with its spec changed. */
function sample(change: (text: string) => string = (text) => text) {
  const folder = tempFolder();
  const source = join(folder, "estate");
  cpSync(SAMPLE, source, { recursive: true });
  const spec = join(source, "tideover.yaml");
  writeFileSync(spec, change(readFileSync(spec, "utf8")));
  return { folder, spec, open: () => openEstate({ spec, data: join(folder, "data") }) };
}

test("the copy is the same estate on other ports, and the original stays as it is", async () => {
  const { spec, folder, open } = sample();
  const before = readFileSync(spec, "utf8");
  const estate = open();
  const copy = await freePortCopy(estate);
  assert.equal(readFileSync(spec, "utf8"), before);
  const text = readFileSync(copy.specPath, "utf8");
  assert.equal(copy.specPath, join(folder, "data", "estate", "tideover.yaml"));
  assert.equal(text.replace(PORTS, "?"), before.replace(PORTS, "?"));
  const ports = text.match(PORTS) ?? [];
  assert.equal(new Set(ports).size, 7);
  assert.equal(
    ports.some((port) => before.includes(port)),
    false,
  );
  assert.equal(copy.data.root, estate.data.root);
});

test("what the spec names goes along: the release, the corpus and the golden questions", async () => {
  const { open } = sample();
  const estate = open();
  const copy = await freePortCopy(estate);
  assert.equal(copy.release?.digest, estate.release?.digest);
  assert.deepEqual(copy.golden, estate.golden);
  assert.ok(existsSync(join(copy.specPath, "..", "corpus", "acme", "acme-canary.md")));
});

test("a second start copies over the first", async () => {
  const { open } = sample();
  const first = await freePortCopy(open());
  const second = await freePortCopy(open());
  assert.equal(second.specPath, first.specPath);
});

test("what lies outside the estate's folder is not copied: that is said, with its name", async () => {
  const { folder, open } = sample((text) =>
    text.replace("corpus: ./corpus", "corpus: ../elsewhere"),
  );
  mkdirSync(join(folder, "elsewhere"));
  cpSync(join(SAMPLE, "corpus"), join(folder, "elsewhere"), { recursive: true });
  await assert.rejects(freePortCopy(open()), {
    code: "USAGE",
    message: '--free-ports copies the estate, and "../elsewhere" lies outside its folder',
    next: /Move elsewhere beside the spec/,
  });
});

test("an absolute path is used where it is", async () => {
  const corpus = join(SAMPLE, "corpus");
  const { open } = sample((text) => text.replace("corpus: ./corpus", `corpus: ${corpus}`));
  const copy = await freePortCopy(open());
  assert.equal(copy.spec.indexes.handbook?.corpus, corpus);
  assert.equal(existsSync(join(copy.specPath, "..", "corpus")), false);
});
