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
  watermark,
} from "../../../test/contract/index-support.ts";
import type { EmbeddedChange, IndexStore } from "../../ports/index.ts";
import { MemoryIndex } from "../../sim/index.ts";
import { openSqliteIndex } from "../index-sqlite/index.ts";
import { pgliteServer } from "./pglite.fixture.ts";
import { TENANTS, tenantsIn } from "./tenants.fixture.ts";

const server = pgliteServer();

describe("row-level security of a pgvector index", () => {
  it("shows the reader role its caller's documents alone, without any WHERE", async () => {
    const { beside } = await tenantsIn(await server());
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
    const { beside } = await tenantsIn(await server());
    const denied = { code: "42501" };
    for (const table of ["log", "undo", "orphans"]) {
      const text = `SET ROLE tideover_reader; SELECT * FROM ${table}`;
      await assert.rejects(beside(text), denied, table);
    }
    await assert.rejects(beside("SET ROLE tideover_reader; DELETE FROM records"), denied);
    const [mark] = await beside(
      "SET ROLE tideover_reader; SELECT seq, epoch, digest_after FROM log",
    );
    assert.equal(Number(mark?.epoch), 1, "what a gateway proves a position with");
  });

  it("is not the only guard: the query filters by itself where policies are gone", async () => {
    const { index, beside } = await tenantsIn(await server());
    await beside("ALTER TABLE records DISABLE ROW LEVEL SECURITY");
    assert.deepEqual(await hitIds(index, { audiences: ["acme"] }), ["acme"]);
    assert.deepEqual(await hitIds(index, { audiences: [] }), []);
  });

  it("stands on what a restore puts in the place of the records, and on its hot part", async () => {
    const { index, beside } = await tenantsIn(await server());
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
    const { index } = await tenantsIn(await server());
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
      const { index, beside } = await tenantsIn(await server());
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
      const { index } = await tenantsIn(await server(), { reader });
      assert.deepEqual((await index.facts()).faults, []);
      await sql(`ALTER ROLE ${reader} ${attribute}`);
      assert.match((await index.facts()).faults.join("\n"), fault);
    });
  }

  it("finds out when the role of searches owns the records", async () => {
    const { index } = await tenantsIn(await server(), { reader: "agent" });
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
