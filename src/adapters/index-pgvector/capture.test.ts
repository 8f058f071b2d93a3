import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { logOf } from "../../../test/contract/index-support.ts";
import type { AdoptSpec } from "../../model/adopt.ts";
import type { ChangeSource } from "../../ports/source.ts";
import { MemoryIndex } from "../../sim/index.ts";
import { captureSql, openCapture } from "./capture.ts";
import { pgliteServer } from "./pglite.fixture.ts";

const server = pgliteServer();

const COLUMNS = {
  id: "Doc Id",
  audience: "owner",
  title: "title",
  text: "body",
  vector: "embedding",
  labels: "tags",
  payload: "facts",
};

let tables = 0;

/** Somebody's table with two rows, whom Tideover may read and watch; and a way to write it. */
async function documents(t: TestContext, adopt: Partial<AdoptSpec> = {}) {
  const { sql, url } = await server();
  const table = `documents_${tables++}`;
  await sql(`CREATE TABLE public.${table} ("Doc Id" bigint PRIMARY KEY, owner text, title text,
      body text, embedding vector, tags text[], facts jsonb);
    GRANT SELECT, TRIGGER ON ${table} TO agent;
    INSERT INTO ${table} VALUES (1, 'public', 'One', 'first', '[1,0,0]', '{}', NULL),
      (2, 'acme', NULL, 'second', '[0,1,0]', '{b,a,a}', '{"b": 1.50, "a": [null]}')`);
  const options = {
    url,
    schema: "tideover_source",
    index: table,
    adopt: {
      urlEnv: "UNUSED",
      table,
      columns: COLUMNS,
      embedding: "lex-1",
      install: true,
      ...adopt,
    },
  };
  const opened: ChangeSource[] = [];
  t.after(async () => {
    for (const source of opened) await source.close();
  });
  const open = async (): Promise<ChangeSource> => {
    const source = await openCapture(options);
    opened.push(source);
    return source;
  };
  const write = (text: string) => sql(text.replaceAll("TABLE_", table));
  return { open, write, table, options };
}

/** What is given now, as `op id`; it is then taken. */
async function taken(source: ChangeSource, limit = 100): Promise<string[]> {
  const batch = await source.next(limit);
  await batch.taken();
  return batch.changes.map(({ op, id }) => `${op} ${id}`);
}

describe("a table that somebody else writes", () => {
  it("gives its rows as documents, and says that this was all", async (t) => {
    const { open } = await documents(t);
    const { changes, refused, levelAt } = await (await open()).next(100);
    assert.deepEqual(refused, []);
    assert.ok(levelAt !== null && Math.abs(levelAt - Date.now()) < 60_000);
    const [one, two] = changes;
    assert.deepEqual([one?.id, one?.audience, one?.text], ["1", "public", "first"]);
    const { sourceTime, vector, ...rest } = two ?? {};
    assert.ok(sourceTime !== undefined && sourceTime <= levelAt);
    assert.equal(vector, Buffer.from(new Float32Array([0, 1, 0]).buffer).toString("base64"));
    assert.deepEqual(rest, {
      op: "upsert",
      id: "2",
      title: "",
      text: "second",
      audience: "acme",
      labels: ["a", "b"],
      payload: { a: [null], b: 1.5 },
      embedding: "lex-1",
    });
  });

  it("gives every later change, of whatever kind, and each document once as it is now", async (t) => {
    const { open, write } = await documents(t);
    const source = await open();
    assert.deepEqual(await taken(source), ["upsert 1", "upsert 2"]);
    assert.deepEqual(await taken(source), []);
    await write(`INSERT INTO TABLE_ VALUES (3, 'public', '', '', '[1,1,1]');
      UPDATE TABLE_ SET body = 'a'; UPDATE TABLE_ SET body = 'b' WHERE "Doc Id" = 1`);
    assert.deepEqual((await taken(source)).toSorted(), ["upsert 1", "upsert 2", "upsert 3"]);
    await write(
      `UPDATE TABLE_ SET "Doc Id" = 9 WHERE "Doc Id" = 1; DELETE FROM TABLE_ WHERE "Doc Id" = 2`,
    );
    assert.deepEqual((await taken(source)).toSorted(), ["delete 1", "delete 2", "upsert 9"]);
    await write("TRUNCATE TABLE_");
    assert.deepEqual((await taken(source)).toSorted(), ["delete 3", "delete 9"]);
  });

  it("gives again what was not taken, and is only level when nothing is left", async (t) => {
    const { open } = await documents(t);
    const first = await (await open()).next(1);
    assert.deepEqual([first.changes.length, first.levelAt], [1, null]);
    const again = await open();
    assert.deepEqual(await taken(again, 1), ["upsert 1"]);
    assert.deepEqual(await taken(again, 1), ["upsert 2"]);
    assert.notEqual((await again.next(1)).levelAt, null);
  });

  it("deletes what nobody can be shown as it is, and says why", async (t) => {
    const { open, write } = await documents(t);
    const source = await open();
    await taken(source);
    await write(`UPDATE TABLE_ SET owner = NULL WHERE "Doc Id" = 1;
      UPDATE TABLE_ SET tags = '{a,NULL}' WHERE "Doc Id" = 2;
      INSERT INTO TABLE_ VALUES (3, 'public', '', '', NULL, NULL, NULL), (4, 'public', '', '', '[1,0,0]', '{}', '[1]')`);
    const { changes, refused } = await source.next(100);
    assert.deepEqual(changes.map(({ op, id }) => `${op} ${id}`).toSorted(), [
      "delete 1",
      "delete 2",
      "delete 3",
      "delete 4",
    ]);
    assert.equal(refused.length, 4);
    for (const fault of [/has no audience/, /empty label/, /has no vector/, /is no object/]) {
      assert.match(refused.join("\n"), fault);
    }
  });

  it("makes an index that equals it, and that another engine's copy can follow", async (t) => {
    const { open, write } = await documents(t);
    const source = await open();
    const [owner, replica] = [await (await server()).open(), new MemoryIndex()];
    for (const text of ["SELECT 1", "DELETE FROM TABLE_ WHERE owner = 'public'"]) {
      await write(text);
      const { changes, taken } = await source.next(100);
      await owner.append(1, changes);
      await taken();
    }
    await replica.apply(await logOf(owner));
    assert.deepEqual(await replica.position(), await owner.position());
    assert.deepEqual(
      (await replica.recordsOf(["1", "2"])).map(({ id }) => id),
      ["2"],
    );
  });

  it("asks nothing of those who write it", async (t) => {
    const { open, write } = await documents(t);
    const source = await open();
    await taken(source);
    await write(`CREATE ROLE clerk; GRANT INSERT ON TABLE_ TO clerk; SET ROLE clerk;
      INSERT INTO TABLE_ VALUES (7, 'public', '', '', '[1,0,0]')`);
    assert.deepEqual(await taken(source), ["upsert 7"]);
  });

  it("is not watched unless that is wanted, by whom it belongs to", async (t) => {
    const { open, write, options } = await documents(t, { install: false });
    const source = await open();
    await assert.rejects(source.next(1), {
      code: "INDEX_UNAVAILABLE",
      message: /nothing notes the changes of table documents_/,
      next: /install: true/,
    });
    await write(
      `BEGIN; ${captureSql(options)}; COMMIT; GRANT USAGE ON SCHEMA tideover_source TO agent`,
    );
    await assert.rejects(source.next(1), { message: /not open to this user/ });
    await write(`GRANT SELECT, DELETE ON tideover_source."tideover_TABLE_" TO agent`);
    assert.deepEqual(await taken(source), ["upsert 1", "upsert 2"]);
  });

  const mistakes: Readonly<Record<string, readonly [Partial<AdoptSpec>, RegExp]>> = {
    "a table that is not there": [{ table: "nowhere" }, /no table nowhere to adopt/],
    "a column that is not there": [
      { columns: { ...COLUMNS, text: "contents" } },
      /column contents of table .* is no column/,
    ],
    "a column of another type": [
      { columns: { ...COLUMNS, vector: "body" } },
      /column body of table .* has type text/,
    ],
    "ids that are not unique": [
      { columns: { ...COLUMNS, id: "title" } },
      /column title of table .* is not unique/,
    ],
  };
  for (const [what, [adopt, message]] of Object.entries(mistakes)) {
    it(`is refused for ${what}, and not touched`, async (t) => {
      const { open, write } = await documents(t, adopt);
      await assert.rejects((await open()).next(1), { code: "INDEX_UNAVAILABLE", message });
      assert.deepEqual(
        await write("SELECT FROM pg_trigger WHERE tgrelid = 'TABLE_'::regclass"),
        [],
      );
    });
  }
});
