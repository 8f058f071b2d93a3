import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { deletion, upsert } from "../../test/contract/index-support.ts";
import { tempFolder } from "../config/temp-folder.fixture.ts";
import type { IndexStore } from "../ports/index.ts";
import { type Estate, openEstate } from "./estate.ts";
import { indexPlaces, openIndexes } from "./indexes.ts";

const SPEC = join(import.meta.dirname, "../../examples/estate/tideover.yaml");
const VARIABLE = "INDEX_KEY_OF_THIS_TEST";

/** The example estate, whose index's digests are keyed by what VARIABLE holds. */
function keyedEstate(data: string): Estate {
  const estate = openEstate({ spec: SPEC, data });
  const { handbook } = estate.spec.indexes;
  assert.ok(handbook);
  const indexes = { handbook: { ...handbook, digestKeyEnv: VARIABLE } };
  return { ...estate, spec: { ...estate.spec, indexes } };
}

async function handbookOf(estate: Estate, region: string, readOnly: boolean): Promise<IndexStore> {
  const index = (await openIndexes(estate, region, { readOnly })).get("handbook");
  assert.ok(index);
  return index;
}

test("every region's copy is opened with the key that the spec names, to write and to read", async (t) => {
  using data = tempFolder({});
  process.env[VARIABLE] = "0f".repeat(32);
  t.after(() => {
    delete process.env[VARIABLE];
  });
  const plain = openEstate({ spec: SPEC, data: join(data.path, "plain") });
  const keyed = keyedEstate(join(data.path, "keyed"));
  const owner = await handbookOf(keyed, "eu-west", false);
  const replica = await handbookOf(keyed, "us-east", false);
  const other = await handbookOf(plain, "eu-west", false);
  for (const index of [owner, other]) await index.append(1, [upsert("a"), deletion("b")]);
  await replica.apply(await owner.entriesAfter(0, 10));
  const reader = await handbookOf(keyed, "us-east", true);
  assert.deepEqual(await reader.position(), await owner.position());
  assert.notEqual((await other.position()).digest, (await owner.position()).digest);
  for (const index of [owner, replica, other, reader]) await index.close();
});

test("an estate whose digest key is not set opens no index, and says which variable", async () => {
  using data = tempFolder({});
  await assert.rejects(openIndexes(keyedEstate(data.path), "eu-west", { readOnly: true }), {
    code: "USAGE",
    message: `indexes.handbook.digestKeyEnv names ${VARIABLE}, which is not set.`,
  });
});

test("a copy in Lance files has a folder of its own, and its ledger in the data folder", () => {
  using data = tempFolder({});
  const own = join(data.path, "regions", "eu-west", "indexes", "handbook.lance");
  const cases = [
    [undefined, own],
    ["./lance", join(dirname(SPEC), "lance", "eu-west", "handbook")],
    ["/srv/lance", "/srv/lance/eu-west/handbook"],
    ["s3://bucket/lance/", "s3://bucket/lance/eu-west/handbook"],
  ] as const;
  for (const [folder, expected] of cases) {
    const place = indexPlaces(lanceEstate(data.path, folder), "eu-west").get("handbook");
    const path = join(own, "ledger.db");
    assert.deepEqual(place, { engine: "lancedb", path, folder: expected });
  }
});

function lanceEstate(data: string, folder: string | undefined): Estate {
  const estate = openEstate({ spec: SPEC, data });
  const region = estate.spec.regions["eu-west"];
  assert.ok(region);
  const index = { engine: "lancedb" as const, needs: [], ...(folder ? { folder } : {}) };
  const components = { ...region.components, index };
  const regions = { ...estate.spec.regions, "eu-west": { ...region, components } };
  return { ...estate, spec: { ...estate.spec, regions } };
}
