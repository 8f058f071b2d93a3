import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { specWith } from "../../test/support/core-values.ts";
import { openSqliteIndex } from "../adapters/index-sqlite/index.ts";
import type { EmbeddedChange, IndexStore } from "../ports/index.ts";
import { dataDirAt } from "./data-dir.ts";
import { IndexFaults } from "./index-faults.ts";

const EU = "eu-west";
const whole = specWith();
const spec = {
  ...whole,
  regions: Object.fromEntries(
    Object.entries(whole.regions).map(([name, region]) => [
      name,
      name === "ap-south"
        ? region
        : {
            ...region,
            components: { ...region.components, index: { engine: "sqlite" as const, needs: [] } },
          },
    ]),
  ),
};

let root: string;
let faults: IndexFaults;
let index: IndexStore;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "tideover-index-faults-"));
  const data = dataDirAt(root);
  const path = data.region(EU).index("handbook");
  await mkdir(dirname(path), { recursive: true });
  index = await openSqliteIndex({ path, readOnly: false });
  await index.append(
    1,
    Array.from({ length: 17 }, (_, at) => document(`d${100 + at}`)),
  );
  faults = new IndexFaults({ data, spec });
});
afterEach(async () => {
  faults.disarm();
  await index.close();
  rmSync(root, { recursive: true, force: true });
});

function document(id: string): EmbeddedChange {
  const vector = Buffer.alloc(12);
  vector.writeFloatLE(1, 0);
  const shown = { title: id, text: `Text of ${id}.`, audience: "public", labels: [], payload: {} };
  const made = { sourceTime: 1, embedding: "lex-1", vector: vector.toString("base64") };
  return { op: "upsert", id, ...shown, ...made };
}

const search = () =>
  index.search({
    vector: Float32Array.from([1, 0, 0]),
    embedding: "lex-1",
    audiences: ["public"],
    k: 17,
  });
const recorded = () => readFileSync(join(root, "index-faults.json"), "utf8");

test("falsified records are told to nobody, and are as they were when the fault is mended", async () => {
  const before = await search();
  assert.equal(faults.damage(EU, "handbook", 60_000), 3);
  await assert.rejects(search(), { code: "INDEX_CORRUPT" });
  assert.match(recorded(), /Text of d100\./, "the undo is written down");
  faults.mend(EU, "handbook");
  assert.deepEqual(await search(), before);
  assert.equal(recorded(), "{}");
  faults.mend(EU, "handbook");
});

test("what was repaired or written meanwhile is not touched by the undo", async () => {
  faults.damage(EU, "handbook", 60_000);
  await index.append(1, [{ ...document("d100"), text: "A newer text." }]);
  faults.mend(EU, "handbook");
  const found = await search();
  assert.equal(found.find(({ id }) => id === "d100")?.text, "A newer text.");
});

test("what nobody mends is mended by itself, and at the latest when the estate stops", async () => {
  faults.damage(EU, "handbook", 1);
  const deadline = performance.now() + 5_000;
  while (recorded() !== "{}" && performance.now() < deadline) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await search()).length, 17);
  faults.damage(EU, "handbook", 60_000);
  faults.disarm();
  assert.equal((await search()).length, 17);
});

test("a copy that is no file of this machine, and an unknown one, are refused", () => {
  for (const [region, name] of [
    ["ap-south", "handbook"],
    ["mars", "handbook"],
    [EU, "elsewhere"],
    [EU, "constructor"],
  ] as const) {
    assert.throws(() => faults.damage(region, name, 60_000), { code: "DRILL_REFUSED" });
  }
});
