import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { after, before, describe, it, test } from "node:test";
import { skipped } from "../../src/adapters/index-lancedb/bench.fixture.ts";
import { pgliteServer } from "../../src/adapters/index-pgvector/pglite.fixture.ts";
import { type Change, eventually, startSample, type TestEstate } from "../support/estate.ts";
import { positionsOf, provesTwoEngines } from "../support/two-engines.ts";

const VARIABLE = "TIDEOVER_TEST_LANCE_PEER_URL";
const LANCE = { engine: "lancedb", needs: ["runtime"] };

function indexOf(region: string, part: unknown): Change {
  return [["regions", region, "components", "index"], part];
}

function provesLance(): void {
  describe("an estate that keeps one region's indexes in SQLite, the other's in Lance files", () => {
    let up: TestEstate;
    before(async () => {
      up = await startSample([indexOf("us-east", LANCE)]);
    });
    after(() => up?.stop());

    provesTwoEngines(() => up);

    it("has the records in Lance tables below the data folder", () => {
      const names = readdirSync(up.estate.data.region("us-east").lance("handbook"));
      assert.ok(
        names.some((name) => /^records_\d+\.lance$/.test(name)),
        names.join(" "),
      );
    });
  });

  describe("an estate that keeps one region's indexes in Lance files, the other's in PostgreSQL", () => {
    const server = pgliteServer();
    let up: TestEstate;
    before(async () => {
      process.env[VARIABLE] = (await server()).url;
      const part = { engine: "pgvector", urlEnv: VARIABLE, needs: ["runtime"] };
      up = await startSample([indexOf("eu-west", LANCE), indexOf("us-east", part)]);
    });
    after(async () => {
      await up?.stop();
      delete process.env[VARIABLE];
    });

    provesTwoEngines(() => up);

    it("makes a copy in Lance files that was killed equal to its new owner's", async () => {
      await up.supervisor.startRegion("eu-west");
      await eventually("both copies to be level", async () => {
        const [eu, us] = await positionsOf(up);
        return us !== undefined && eu?.digest === us.digest && eu.seq === us.seq;
      });
    });
  });
}

if (skipped === false) provesLance();
else test("an estate that keeps indexes in Lance files", { skip: skipped }, () => undefined);
