import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { pgliteServer } from "../../src/adapters/index-pgvector/pglite.fixture.ts";
import { startSample, type TestEstate } from "../support/estate.ts";
import { positionsOf, provesTwoEngines } from "../support/two-engines.ts";

const VARIABLE = "TIDEOVER_TEST_INDEX_URL";

describe("an estate that keeps one region's indexes in SQLite, the other's in PostgreSQL", () => {
  const server = pgliteServer();
  let up: TestEstate;

  before(async () => {
    process.env[VARIABLE] = (await server()).url;
    const hnsw = { m: 8, efConstruction: 32 };
    const part = { engine: "pgvector", urlEnv: VARIABLE, hnsw, needs: ["runtime"] };
    up = await startSample([[["regions", "us-east", "components", "index"], part]]);
  });
  after(async () => {
    await up?.stop();
    delete process.env[VARIABLE];
  });

  provesTwoEngines(() => up);

  it("has all records in the tables of PostgreSQL", async () => {
    const { sql } = await server();
    const [row] = await sql("SELECT count(*)::int AS count FROM tideover_handbook.records");
    assert.equal(row?.count, (await positionsOf(up)).find((position) => position)?.count);
  });
});
