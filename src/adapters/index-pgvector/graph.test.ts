import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { copyOf, deletion, hitIds, upsert, vector } from "../../../test/contract/index-support.ts";
import { joined } from "../../core/reconcile/vectors.ts";
import { type HnswSpec, hnswSchema } from "../../model/index-engine.ts";
import { pgliteServer } from "./pglite.fixture.ts";

const server = pgliteServer();

describe("an approximate pgvector index", () => {
  const HNSW = hnswSchema.parse({ efSearch: 40 });
  /** Eight dimensions, at this angle from the first axis. */
  const at = (degrees: number, n = 0): number[] => {
    const angle = (degrees * Math.PI) / 180;
    return [Math.cos(angle), Math.sin(angle), n / 1e6, 0, 0, 0, 0, 0];
  };
  const query = { vector: vector(...at(0)), k: 5 };
  const bytesOf = (numbers: readonly number[]) => new Uint8Array(vector(...numbers).buffer);

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

  it("walks a graph for each of a record's vectors, and finds those of zeros beside it", async () => {
    const { index, beside } = await crowded();
    const next = (n: number) => (n === 0 ? [0, 0, 0] : [1, n / 1e3, 0]);
    const both = Array.from({ length: 300 }, (_, n) => {
      const parts = [
        { model: { version: "lex-1", dimensions: 8 }, bytes: bytesOf(at(90 + n / 10, n)) },
        { model: { version: "lex-2", dimensions: 3 }, bytes: bytesOf(next(n)) },
      ];
      const { embedding, vector: laid } = joined(parts);
      const base64 = Buffer.from(laid).toString("base64");
      return upsert(`both-${n}`, { embedding, vector: base64, audience: "bolt" });
    });
    await index.append(1, both);
    await beside("ANALYZE records");
    const old = { ...query, audiences: ["bolt"], vector: vector(...at(90)), k: 3 };
    assert.deepEqual(await walks(() => hitIds(index, old)), ["both-0", "both-1", "both-2"]);
    const [found, exact] = [
      await walks(() => hitIds(index, { ...query, audiences: ["acme", "bolt"] })),
      await hitIds(index, { ...query, audiences: ["acme", "bolt"], exact: true }),
    ];
    assert.deepEqual(found, exact);
    const others = await index.recordsIn({ prefix: 0, bits: 0 });
    const gone = others.filter(({ id }) => !id.startsWith("both-")).map(({ id }) => deletion(id));
    await index.append(1, gone);
    const asked = { audiences: ["bolt"], embedding: "lex-2", vector: vector(1, 0, 0) };
    const walked = await walks(() => hitIds(index, { ...asked, k: 300 }));
    assert.deepEqual(walked, await hitIds(index, { ...asked, k: 300, exact: true }));
    assert.deepEqual([walked[0], walked.at(-1)], ["both-1", "both-0"]);
    const plan = await beside(`${BY_GRAPH}; EXPLAIN SELECT id FROM records
      WHERE embedding = '${both[0]?.embedding}'
      ORDER BY subvector(vector, 9, 3)::vector(3) <=> '[1,0,0]' LIMIT 5`);
    assert.match(JSON.stringify(plan), /Index Scan using graph_[0-9a-f]+_8_3_/);
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
