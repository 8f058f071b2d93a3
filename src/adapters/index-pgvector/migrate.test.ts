import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hitIds, stored, upsert, watermark } from "../../../test/contract/index-support.ts";
import { pgliteServer } from "./pglite.fixture.ts";
import { TENANTS, tenantsIn } from "./tenants.fixture.ts";

const server = pgliteServer();

describe("the schema of a pgvector index", () => {
  it("is made once by however many open it at once, and changed by nobody who opens it again", async () => {
    const { open, schema, sql } = await server();
    const name = schema();
    const all = await Promise.all([1, 2, 3].map(() => open({ schema: name })));
    await all[0]?.append(1, [upsert("a")]);
    const again = await open({ schema: name });
    for (const index of [...all, again]) assert.deepEqual(await hitIds(index, {}), ["a"]);
    const applied = await sql(`SELECT version, name FROM ${name}.migrations`);
    assert.deepEqual(applied, [
      { version: 1, name: "001-tables" },
      { version: 2, name: "002-log-marks" },
    ]);
  });

  it("is refused, and left alone, when a newer version made it", async () => {
    const { open, schemaOf, sql } = await server();
    const name = schemaOf(await open());
    await sql(`INSERT INTO ${name}.migrations VALUES (7, '007-later')`);
    for (const readOnly of [false, true]) {
      const index = await open({ schema: name, readOnly });
      await assert.rejects(index.position(), {
        code: "INDEX_UNAVAILABLE",
        message: /has version 7, and this program knows up to 2/,
      });
    }
  });

  it("may appear after its reader, who then sees every write and writes nothing", async () => {
    const { open, schema } = await server();
    const name = schema();
    const reader = await open({ schema: name, readOnly: true });
    await assert.rejects(reader.position(), { message: /does not exist yet/ });
    const writer = await open({ schema: name });
    await writer.append(1, [upsert("a"), watermark(9)]);
    assert.deepEqual(await hitIds(reader, {}), ["a"]);
    assert.deepEqual(await reader.position(), await writer.position());
    assert.deepEqual(await reader.watermarks(), { all: 9, tenants: {} });
    await writer.quarantine("damaged");
    assert.deepEqual(await reader.standing(), { kind: "quarantined", because: "damaged" });
    await assert.rejects(reader.append(1, [upsert("b")]), { message: /open for reading only/ });
    await assert.rejects(reader.fence(3), { message: /open for reading only/ });
  });

  it("is never made anew in the place of one that vanished while in use", async () => {
    const { open, schemaOf, sql } = await server();
    const index = await open();
    await index.append(1, [upsert("a")]);
    await sql(`DROP SCHEMA ${schemaOf(index)} CASCADE`);
    await assert.rejects(index.append(1, [upsert("b")]), { code: "INDEX_UNAVAILABLE" });
    const [row] = await sql(`SELECT to_regnamespace('${schemaOf(index)}') IS NULL AS gone`);
    assert.equal(row?.gone, true);
  });

  it("is not made by a user who may not, who is told what an administrator has to run", async () => {
    const { open, sql } = await server();
    await sql("REVOKE CREATE ON DATABASE postgres FROM agent");
    const index = await open({ schema: "not allowed" });
    await assert.rejects(index.position(), {
      code: "INDEX_UNAVAILABLE",
      next: /Let a database administrator run: CREATE SCHEMA "not allowed"/,
    });
    await sql("GRANT CREATE ON DATABASE postgres TO agent");
    assert.equal((await index.position()).seq, 0, "once he has the right, it is made");
  });

  it("belongs to the copy that wrote it first, and is refused to another region's", async () => {
    const { open, schema } = await server();
    const name = schema();
    const early = await open({ schema: name, copy: "demo/eu/handbook", readOnly: true });
    const index = await open({ schema: name, copy: "demo/eu/handbook" });
    await index.append(1, [upsert("a")]);
    assert.deepEqual(await hitIds(early, {}), ["a"]);
    for (const readOnly of [false, true]) {
      const other = await open({ schema: name, copy: "demo/us/handbook", readOnly });
      await assert.rejects(other.position(), {
        code: "INDEX_UNAVAILABLE",
        message: /is the copy demo\/eu\/handbook, and was opened as demo\/us\/handbook/,
      });
    }
  });

  it("is refused with another digest key than it was made with, and with none", async () => {
    const { open, schema } = await server();
    const [name, key] = [schema(), (fill: number) => new Uint8Array(32).fill(fill)];
    await (await open({ schema: name, key: key(1) })).append(1, [upsert("a")]);
    const wrong = [{ key: key(2) }, {}, { key: key(2), readOnly: true }];
    for (const options of wrong) {
      const index = await open({ schema: name, ...options });
      await assert.rejects(index.position(), { message: /made with another digest key/ });
    }
    const reader = await open({ schema: name, key: key(1), readOnly: true });
    assert.deepEqual(await hitIds(reader, {}), ["a"]);
  });

  it("is not read or written by a user who would see only some of its records", async () => {
    const { beside, schema } = await tenantsIn(await server());
    const { open, sql } = await server();
    await sql(`CREATE ROLE stranger IN ROLE tideover_reader;
      GRANT USAGE ON SCHEMA ${schema} TO stranger;
      GRANT ALL ON ALL TABLES IN SCHEMA ${schema} TO stranger`);
    const { as } = await server();
    await as("stranger", async () => {
      const blind = { message: /user stranger does not see all records/ };
      const [writer, reader] = [await open({ schema }), await open({ schema, readOnly: true })];
      await assert.rejects(writer.recordsIn({ prefix: 0, bits: 0 }), blind);
      await assert.rejects(writer.append(1, [upsert("x")]), blind);
      await assert.rejects(reader.recordsIn({ prefix: 0, bits: 0 }), blind);
      assert.deepEqual(await hitIds(reader, {}), ["open"], "to search is all that it may");
    });
    assert.equal((await beside("SELECT count(*)::int AS n FROM records"))[0]?.n, 4);
  });

  it("loses what a killed restore left as soon as it is opened to write", async () => {
    const { open, schemaOf, sql } = await server();
    const index = await open();
    await index.append(1, TENANTS);
    const name = schemaOf(index);
    const before = await stored(index);
    await sql(`SET search_path = ${name}, public; CREATE TABLE restored (LIKE records);
      ALTER TABLE restored OWNER TO agent;
      UPDATE meta SET hot = '{"loaded":1,"total":4,"held":[]}'`);
    assert.equal((await index.standing()).kind, "partial");
    const again = await open({ schema: name });
    assert.deepEqual(await stored(again), before);
  });
});
