import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { pgliteServer } from "../../src/adapters/index-pgvector/pglite.fixture.ts";
import { HEADERS } from "../../src/wire/headers.ts";
import { ask, callerOf } from "../support/callers.ts";
import { eventually, KEYS, startSample, type TestEstate } from "../support/estate.ts";

const QUESTION = "Until what time are orders for the night express of spare parts accepted?";
const VARIABLE = "TIDEOVER_TEST_INDEX_URL";

describe("an estate whose regions keep their indexes in different engines", () => {
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

  const positions = async () => {
    const { regions } = await up.control.status();
    return regions.map(({ indexes }) => indexes[0]?.position);
  };

  it("copies what SQLite took in to PostgreSQL, to equal digests", async () => {
    await eventually("both copies to be level", async () => {
      const [eu, us] = await positions();
      return (eu?.count ?? 0) > 0 && eu?.digest === us?.digest && eu?.seq === us?.seq;
    });
    const { sql } = await server();
    const [row] = await sql("SELECT count(*)::int AS count FROM tideover_handbook.records");
    assert.equal(row?.count, (await positions())[0]?.count);
  });

  it("fails over to PostgreSQL, and answers each tenant from its own documents there", async () => {
    await eventually("the standby to be ready", async () => {
      const { workflows } = await up.control.status();
      return workflows.every(({ standbys }) => standbys.every(({ ready }) => ready !== false));
    });
    await up.supervisor.killRegion("eu-west");
    const acme = callerOf(up, "us-east");
    await eventually("us-east to serve", async () => {
      const told = await ask(acme, "support-search", QUESTION).catch(() => null);
      return told?.headers.get(HEADERS.region) === "us-east" && told.text.includes("19:15");
    });
    const marker = "What is the confidentiality marker of Acme, the code word in no shipment?";
    assert.match((await ask(acme, "support-search", marker)).text, /quillfeather-7731/);
    const bolt = callerOf(up, "us-east", { key: KEYS.bolt });
    assert.doesNotMatch((await ask(bolt, "support-search", marker)).text, /quillfeather-7731/);
  });
});
