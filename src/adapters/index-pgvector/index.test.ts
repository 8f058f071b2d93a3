import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  copyOf,
  deletion,
  hitIds,
  logOf,
  stored,
  upsert,
  vector,
  watermark,
} from "../../../test/contract/index-support.ts";
import { type HnswSpec, hnswSchema } from "../../model/index-engine.ts";
import type { EmbeddedChange, IndexStore } from "../../ports/index.ts";
import { MemoryIndex } from "../../sim/index.ts";
import { openSqliteIndex } from "../index-sqlite/index.ts";
import type { PgvectorOptions } from "./options.ts";
import { pgliteServer } from "./pglite.fixture.ts";

const server = pgliteServer();

const TENANTS = [
  upsert("open"),
  upsert("acme", { audience: "acme" }),
  upsert("acme hr", { audience: "acme", labels: ["hr"] }),
  upsert("bolt", { audience: "bolt" }),
];

/** An index with documents of two tenants, and a way to write beside it. */
async function tenants(options: Partial<PgvectorOptions> = {}) {
  const { open, schemaOf, sql } = await server();
  const index = await open(options);
  await index.append(1, TENANTS);
  const schema = schemaOf(index);
  const beside = (text: string) => sql(`SET search_path = ${schema}, public; ${text}`);
  return { index, schema, beside };
}

describe("row-level security of a pgvector index", () => {
  it("shows the reader role its caller's documents alone, without any WHERE", async () => {
    const { beside } = await tenants();
    const ids = async (settings: string): Promise<unknown> => {
      const [row] = await beside(`${settings}; SET ROLE tideover_reader;
        SELECT coalesce(array_agg(id ORDER BY id), '{}') AS ids FROM records`);
      return row?.ids;
    };
    const asks = (audiences: string, labels: string): string =>
      `SET tideover.audiences = '${audiences}'; SET tideover.labels = '${labels}'`;
    assert.deepEqual(await ids(asks("{public,acme}", "{}")), ["acme", "open"]);
    assert.deepEqual(await ids(asks("{bolt}", "{hr}")), ["bolt"]);
    assert.deepEqual(await ids(asks("{acme}", "{hr}")), ["acme", "acme hr"]);
    assert.deepEqual(await ids(asks("{}", "{}")), []);
    assert.deepEqual(await ids(asks("", "")), []);
    assert.deepEqual(await ids("SELECT 1"), [], "who says nothing sees nothing");
  });

  it("keeps the reader role from every other place with texts, and from writing", async () => {
    const { beside } = await tenants();
    const denied = { code: "42501" };
    for (const table of ["log", "undo", "orphans"]) {
      const text = `SET ROLE tideover_reader; SELECT * FROM ${table}`;
      await assert.rejects(beside(text), denied, table);
    }
    await assert.rejects(beside("SET ROLE tideover_reader; DELETE FROM records"), denied);
  });

  it("is not the only guard: the query filters by itself where policies are gone", async () => {
    const { index, beside } = await tenants();
    await beside("ALTER TABLE records DISABLE ROW LEVEL SECURITY");
    assert.deepEqual(await hitIds(index, { audiences: ["acme"] }), ["acme"]);
    assert.deepEqual(await hitIds(index, { audiences: [] }), []);
  });

  it("stands on what a restore puts in the place of the records, and on its hot part", async () => {
    const { index, beside } = await tenants();
    const copy = await copyOf(index);
    const seen: unknown[] = [];
    const sees = async (table: string): Promise<void> => {
      const [row] = await beside(`SET tideover.audiences = '{bolt}'; SET tideover.labels = '{}';
        SET ROLE tideover_reader; SELECT array_agg(id) AS ids FROM ${table}`);
      seen.push(row?.ids);
    };
    const records = async function* () {
      for await (const page of copy.from.records) {
        yield page;
        await sees("restored");
      }
    };
    await index.restore({ ...copy.from, records: records(), hot: 1 });
    await sees("records");
    assert.deepEqual(seen, [null, ["bolt"], ["bolt"]]);
    assert.deepEqual((await index.facts()).faults, []);
  });
});

describe("what a pgvector index says of itself", () => {
  it("finds no fault with what it made, and takes the question back", async () => {
    const { index } = await tenants();
    const { settings, ...facts } = await index.facts();
    assert.deepEqual(facts, {
      engine: "pgvector",
      approximate: false,
      tenantGuard: "row-level-security",
      faults: [],
    });
    const { pgvector, policies, ...rest } = settings;
    assert.match(pgvector ?? "", /^\d+\.\d+\.\d+$/);
    assert.match(policies ?? "", /^sha256:/);
    assert.deepEqual(rest, {
      index: "exact",
      distance: "cosine",
      digests: "plain",
      dimensions: "lex-1: 3",
    });
    assert.deepEqual((await index.facts()).faults, []);
  });

  const damages: Readonly<Record<string, readonly [string, RegExp]>> = {
    "policies are switched off": ["ALTER TABLE records DISABLE ROW LEVEL SECURITY", /not enabled/],
    "the owner is spared": ["ALTER TABLE records NO FORCE ROW LEVEL SECURITY", /not forced/],
    "a policy is missing": ["DROP POLICY tideover_read ON records", /tideover_read .* missing/],
    "a policy lets all through": [
      "ALTER POLICY tideover_read ON records USING (true)",
      /tideover_read .* not as it was made/,
    ],
    "a policy is for everybody": [
      "ALTER POLICY tideover_read ON records TO PUBLIC",
      /tideover_read .* not as it was made/,
    ],
    "somebody added a policy": [
      "CREATE POLICY debug ON records USING (true)",
      /policy debug .* not Tideover's/,
    ],
    "the reader may read the log": [
      "GRANT SELECT ON log TO tideover_reader",
      /may read log, which has no policies/,
    ],
    "a view stands in the place of the records": [
      `ALTER TABLE records RENAME TO hidden; CREATE VIEW records AS SELECT * FROM hidden;
       GRANT SELECT ON records TO tideover_reader; ALTER VIEW records OWNER TO agent`,
      /`records` is a view/,
    ],
  };
  for (const [what, [sql, fault]] of Object.entries(damages)) {
    it(`finds out when ${what}`, async () => {
      const { index, beside } = await tenants();
      await beside(sql);
      assert.match((await index.facts()).faults.join("\n"), fault);
    });
  }

  const roles: Readonly<Record<string, readonly [string, RegExp]>> = {
    "is a superuser": ["SUPERUSER", /is a superuser: no policy binds it/],
    "ignores policies": ["BYPASSRLS", /has BYPASSRLS: no policy binds it/],
  };
  for (const [what, [attribute, fault]] of Object.entries(roles)) {
    it(`finds out when the role of searches ${what}`, async () => {
      const { sql } = await server();
      const reader = `reader_${attribute}`.toLowerCase();
      await sql(`CREATE ROLE ${reader}; GRANT ${reader} TO agent`);
      const { index } = await tenants({ reader });
      assert.deepEqual((await index.facts()).faults, []);
      await sql(`ALTER ROLE ${reader} ${attribute}`);
      assert.match((await index.facts()).faults.join("\n"), fault);
    });
  }

  it("finds out when the role of searches owns the records", async () => {
    const { index } = await tenants({ reader: "agent" });
    const { faults } = await index.facts();
    assert.match(faults.join("\n"), /role of searches, agent, owns `records`/);
    assert.match(faults.join("\n"), /may read log, undo, orphans/);
  });
});

describe("the vectors and texts of a pgvector index", () => {
  const numbers = [0, -0, 1e-45, -1.1754942e-38, 3.4028235e38, 0.1, 1 / 3];

  it("keep every bit, of -0, denormals and the largest number too", async () => {
    const { open } = await server();
    const index = await open();
    const odd = upsert("odd", { numbers });
    await index.append(1, [odd]);
    const [record] = await index.recordsOf(["odd"]);
    assert.equal(Buffer.from(record?.vector ?? []).toString("base64"), odd.vector);
    assert.equal((await logOf(index))[0]?.vector, odd.vector);
  });

  it("keep any bits that are finite numbers", async () => {
    const { open } = await server();
    const index = await open();
    const bits = fc.uint8Array({ minLength: 64, maxLength: 64 }).filter((bytes) => {
      return new Float32Array(Uint8Array.from(bytes).buffer).every(Number.isFinite);
    });
    await fc.assert(
      fc.asyncProperty(fc.array(bits, { minLength: 1, maxLength: 40 }), async (vectors) => {
        const changes = vectors.map((bytes, n) => {
          return upsert(`d${n}`, { vector: Buffer.from(bytes).toString("base64") });
        });
        const { seq } = await index.append(1, changes);
        const log = await index.entriesAfter(seq - changes.length, changes.length);
        assert.deepEqual(
          log.map((entry) => entry.vector),
          changes.map((change) => change.vector),
        );
      }),
      { numRuns: 10 },
    );
  });

  it("are refused beforehand where PostgreSQL cannot hold them", async () => {
    const { open } = await server();
    const index = await open();
    const huge = upsert("huge", { numbers: Array.from({ length: 16_001 }, () => 1) });
    const refused = { code: "CORPUS_INVALID", message: /"huge".*16001 dimensions/ };
    await assert.rejects(index.append(1, [upsert("a"), huge]), refused);
    assert.equal((await index.position()).seq, 0);
  });

  it("come back from payloads, labels and ids as they went in", async () => {
    const { open } = await server();
    const index = await open();
    const payload = { "\u0000": 1e21, b: [0.1, -1e-7, { "é\u0001": null }], a: "\u0000" };
    const labels = ["\u0000", "\u0001", '"},{', "\\"];
    await index.append(1, [upsert("\u0000\u0001", { payload, labels, audience: "\u0000" })]);
    const [record] = await index.recordsOf(["\u0000\u0001", "\ud800"]);
    assert.deepEqual(
      [record?.payload, record?.labels, record?.audience],
      [payload, labels, "\u0000"],
    );
    assert.deepEqual(await hitIds(index, { audiences: ["\u0000"], labels }), ["\u0000\u0001"]);
    assert.deepEqual(await hitIds(index, { audiences: ["\u0001", "\ud800"], labels }), []);
  });

  it("may get other dimensions within a batch, once the last record of the old ones is gone", async () => {
    const { open } = await server();
    const [owner, replica, memory] = [await open(), await open(), new MemoryIndex()];
    await memory.append(1, [upsert("a"), upsert("b")]);
    await memory.append(1, [deletion("a"), deletion("b"), upsert("c", { numbers: [1, 0] })]);
    await replica.apply(await logOf(memory));
    assert.deepEqual(await replica.position(), await memory.position());
    await owner.append(1, [upsert("a"), upsert("b")]);
    const early = [deletion("a"), upsert("c", { numbers: [1, 0] }), deletion("b")];
    await assert.rejects(owner.append(1, early), { code: "CORPUS_INVALID" });
  });
});

describe("an approximate pgvector index", () => {
  const HNSW = hnswSchema.parse({ efSearch: 40 });
  /** Eight dimensions, at this angle from the first axis. */
  const at = (degrees: number, n = 0): number[] => {
    const angle = (degrees * Math.PI) / 180;
    return [Math.cos(angle), Math.sin(angle), n / 1e6, 0, 0, 0, 0, 0];
  };
  const query = { vector: vector(...at(0)), k: 5 };

  /** A thousand documents of another tenant's that are all nearer than acme's ten. */
  async function crowded(hnsw: HnswSpec = HNSW) {
    const { open, schemaOf, sql } = await server();
    const index = await open({ hnsw });
    const strangers = Array.from({ length: 1_000 }, (_, n) =>
      upsert(`bolt-${n}`, { audience: "bolt", numbers: at(n / 100, n) }),
    );
    const own = Array.from({ length: 10 }, (_, n) =>
      upsert(`acme-${n}`, { audience: "acme", numbers: at(60 + n) }),
    );
    await index.append(1, [...strangers, ...own]);
    const schema = schemaOf(index);
    const beside = (text: string) => sql(`SET search_path = ${schema}, public; ${text}`);
    await beside("ANALYZE records");
    return { index, beside };
  }

  // What a planner does with a table that is a thousand times as large.
  const BY_GRAPH = "SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off";
  const walks = async <T>(work: () => Promise<T>): Promise<T> => {
    const { plan } = await server();
    await plan(BY_GRAPH);
    return work().finally(() =>
      plan("RESET enable_seqscan; RESET enable_sort; RESET enable_bitmapscan"),
    );
  };

  const NEAREST = `SELECT id FROM records
    WHERE embedding = 'lex-1' AND audience = ANY ('{acme}'::text[]) AND labels <@ '{}'::text[]
    ORDER BY vector::vector(8) <=> '[1,0,0,0,0,0,0,0]' LIMIT 5`;

  /** Five of acme's, nearest first. Which of the ten a graph finds depends on how its dice fell. */
  const provesFive = (found: readonly string[]): void => {
    assert.equal(found.length, 5);
    assert.ok(found.every((id) => id.startsWith("acme-")));
    assert.deepEqual(found, found.toSorted());
  };

  it("would find nothing of a tenant's with pgvector's defaults, and nobody would be told", async () => {
    const { beside } = await crowded();
    const explained = await beside(`${BY_GRAPH}; EXPLAIN ${NEAREST}`);
    assert.match(JSON.stringify(explained), /Index Scan using graph_/);
    assert.deepEqual(await beside(`${BY_GRAPH}; ${NEAREST}`), []);
    const iterative = `SET hnsw.iterative_scan = relaxed_order; ${NEAREST}`;
    assert.equal((await beside(`${BY_GRAPH}; ${iterative}`)).length, 5);
  });

  it("gives every tenant k of k, in order", async () => {
    const { index } = await crowded();
    const found = await walks(() => hitIds(index, { ...query, audiences: ["acme"] }));
    provesFive(found);
    const all = await walks(() => hitIds(index, { ...query, audiences: ["acme"], k: 50 }));
    assert.equal(all.length, 10);
    const bolt = await walks(() => hitIds(index, { ...query, audiences: ["bolt"] }));
    assert.deepEqual(bolt, ["bolt-0", "bolt-1", "bolt-2", "bolt-3", "bolt-4"]);
  });

  it("gives k of k also where the scan gives up before", async () => {
    const { index } = await crowded({ ...HNSW, maxScanTuples: 1 });
    const found = await walks(() => hitIds(index, { ...query, audiences: ["acme"] }));
    assert.deepEqual(found, ["acme-0", "acme-1", "acme-2", "acme-3", "acme-4"]);
  });

  it("walks its graph, and compares every record when it is asked to be exact", async () => {
    const { index, beside } = await crowded();
    const ready = (is: boolean) =>
      beside(`UPDATE pg_index SET indisready = ${is} WHERE indexrelid =
        (SELECT oid FROM pg_class WHERE relname LIKE 'graph_%' AND relnamespace = current_schema()::regnamespace)`);
    // A graph that lost its way: it knows nothing of the record that is the nearest.
    await ready(false);
    await index.append(1, [upsert("a nearest", { audience: "bolt", numbers: at(0) })]);
    await ready(true);
    const asked = { ...query, audiences: ["bolt"], k: 2 };
    assert.deepEqual(await walks(() => hitIds(index, asked)), ["bolt-0", "bolt-1"]);
    const exact = await walks(() => hitIds(index, { ...asked, exact: true }));
    assert.deepEqual(exact, ["a nearest", "bolt-0"]);
  });

  it("tells its parameters, and when a graph was built with others", async () => {
    const { index, beside } = await crowded();
    const { settings, approximate, faults } = await index.facts();
    assert.deepEqual([approximate, faults], [true, []]);
    assert.equal(settings.index, "hnsw (ef_construction=64, m=16)");
    const [graph] = await beside(
      `SELECT relname AS name FROM pg_class
        WHERE relname LIKE 'graph_%' AND relnamespace = current_schema()::regnamespace`,
    );
    await beside(`DROP INDEX ${graph?.name}`);
    assert.match((await index.facts()).faults.join(), /HNSW index is missing/);
    await beside(`CREATE INDEX ${graph?.name} ON records
      USING hnsw ((vector::vector(8)) vector_cosine_ops) WITH (m = 2, ef_construction = 4)`);
    assert.match((await index.facts()).faults.join(), /built with ef_construction=4, m=2/);
  });

  it("builds the graph of a restore before it takes its place", async () => {
    const { index } = await crowded();
    const { open } = await server();
    const other = await open({ hnsw: HNSW });
    const copy = await copyOf(index);
    await other.restore({ ...copy.from, records: (await index.openSnapshot()).records(500) });
    assert.deepEqual((await other.facts()).faults, []);
    provesFive(await walks(() => hitIds(other, { ...query, audiences: ["acme"] })));
  });
});

describe("the schema of a pgvector index", () => {
  it("is made once by however many open it at once, and changed by nobody who opens it again", async () => {
    const { open, schema, sql } = await server();
    const name = schema();
    const all = await Promise.all([1, 2, 3].map(() => open({ schema: name })));
    await all[0]?.append(1, [upsert("a")]);
    const again = await open({ schema: name });
    for (const index of [...all, again]) assert.deepEqual(await hitIds(index, {}), ["a"]);
    const applied = await sql(`SELECT version, name FROM ${name}.migrations`);
    assert.deepEqual(applied, [{ version: 1, name: "001-tables" }]);
  });

  it("is refused, and left alone, when a newer version made it", async () => {
    const { open, schemaOf, sql } = await server();
    const name = schemaOf(await open());
    await sql(`INSERT INTO ${name}.migrations VALUES (7, '007-later')`);
    for (const readOnly of [false, true]) {
      const index = await open({ schema: name, readOnly });
      await assert.rejects(index.position(), {
        code: "INDEX_UNAVAILABLE",
        message: /has version 7, and this program knows up to 1/,
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
    const { beside, schema } = await tenants();
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

describe("a pgvector index among other engines", () => {
  const changes: readonly EmbeddedChange[] = [
    ...TENANTS,
    upsert("acme", { text: "new\u0000", numbers: [1, 2, 3] }),
    watermark(50, "acme"),
    deletion("bolt"),
    upsert("\u0001", { payload: { z: 1, a: [0.1] }, labels: ["a", "b"] }),
  ];
  const same = async (index: IndexStore) => {
    const { hits: _, orphans: __, ...rest } = { hits: [], ...(await stored(index)) };
    return { ...rest, leaves: await index.sums([{ prefix: 0, bits: 0 }], 16) };
  };

  it("is equal to a copy of each in the embedded ones, whichever of them was written", async (t) => {
    const { open } = await server();
    const folder = await mkdtemp(join(tmpdir(), "tideover-engines-"));
    const key = new Uint8Array(32).fill(7);
    const sqlite = (name: string) => openSqliteIndex({ path: join(folder, name), digestKey: key });
    const engines = [
      async () => new MemoryIndex(key),
      async () => sqlite(`${opened.length}.db`),
      async () => open({ key }),
    ];
    const opened: IndexStore[] = [];
    t.after(async () => {
      for (const index of opened) await index.close();
      await rm(folder, { recursive: true });
    });
    const fresh = async (make: () => Promise<IndexStore>): Promise<IndexStore> => {
      const index = await make();
      opened.push(index);
      return index;
    };
    for (const from of engines) {
      const owner = await fresh(from);
      await owner.append(1, changes.slice(0, 3));
      await owner.append(2, changes.slice(3));
      for (const to of engines.slice(1)) {
        const [byLog, bySnapshot] = [await fresh(to), await fresh(to)];
        await byLog.apply(await logOf(owner));
        assert.deepEqual(await same(byLog), await same(owner));
        const copy = await copyOf(owner);
        await bySnapshot.restore(copy.from).finally(copy.close);
        const { base: _, log: __, ...restored } = await same(bySnapshot);
        const { base: ___, log: ____, ...written } = await same(owner);
        assert.deepEqual(restored, written);
      }
    }
  });
});
