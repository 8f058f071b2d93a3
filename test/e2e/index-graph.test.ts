import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { z } from "zod";
import { createSystemClock } from "../../src/adapters/clock-system/clock.ts";
import { pgliteServer } from "../../src/adapters/index-pgvector/pglite.fixture.ts";
import { hnswSchema } from "../../src/model/index-engine.ts";
import type { EmbeddedChange, IndexStore } from "../../src/ports/index.ts";
import { AGENT_PATHS } from "../../src/wire/headers.ts";
import { type AgentWorld, createAgentWorld, EMBEDDING, INDEX } from "../support/agent-world.ts";
import { eventually } from "../support/estate.ts";
import { readSciFact, scifactPresent } from "../support/scifact.ts";

/**
 * The detection table's row of the bad graph, on the real pgvector: a standby whose records are all
 * what was written, and whose HNSW graph misses what an exact search finds.
 */

const RECORDS = 700;
const HNSW = hnswSchema.parse({});
/** What a planner does with a table that is a thousand times as large. */
const BY_GRAPH = "SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off";
const clock = createSystemClock();

type Sql = (text: string) => Promise<Record<string, unknown>[]>;

interface Damage {
  readonly name: string;
  /** Cured by a person's order; else by the loop alone. */
  readonly ordered: boolean;
  /** `create`: makes the graph again, which is gone, with these parameters. */
  readonly inflict: (
    sql: Sql,
    graph: string,
    create: (options: string) => string,
  ) => Promise<unknown>;
}

const DAMAGES: readonly Damage[] = [
  {
    name: "built with the worst parameters that there are",
    ordered: false,
    inflict: (sql, _, create) => sql(create("m = 2, ef_construction = 4")),
  },
  {
    // As after a catalog was mended by hand, or a disk lost what was written to the graph.
    name: "that knows nothing of what was written after it was built",
    ordered: true,
    inflict: async (sql, graph, create) => {
      const ready = (is: boolean) =>
        `UPDATE pg_index SET indisready = ${is} WHERE indexrelid = '${graph}'::regclass`;
      await sql("CREATE TABLE later AS SELECT * FROM records ORDER BY id OFFSET 100");
      await sql("DELETE FROM records WHERE id IN (SELECT id FROM later)");
      await sql(`${create(optionsOf(HNSW))}; ${ready(false)}`);
      await sql(`INSERT INTO records SELECT * FROM later; DROP TABLE later; ${ready(true)}`);
    },
  },
];

const skip = scifactPresent() ? false : "SciFact's embeddings are not beside this project";
describe("a standby whose records PostgreSQL searches by a graph", { skip }, () => {
  const server = pgliteServer();
  let world: AgentWorld;
  let standby: IndexStore;
  let sql: Sql;

  before(async () => {
    const { ids, vectors, queries } = readSciFact();
    const pg = await server();
    standby = await pg.open({ hnsw: HNSW });
    sql = async (text) => {
      const rows = await pg.sql(`SET search_path = ${pg.schemaOf(standby)}, public; ${text}`);
      await pg.plan(BY_GRAPH);
      return rows;
    };
    world = await createAgentWorld({ interval: "1s", timeout: "1s", confirm: "5s" });
    const changes = ids.slice(0, RECORDS).map((id, at) => change(id, vectors[at]));
    await world.eu.index.append(1, changes);
    const proofQuestions = async () =>
      queries.slice(0, 12).map(({ vector }) => {
        const question = { vector, embedding: EMBEDDING, audiences: ["public"], k: 10 };
        return { ...question, documents: [], least: 0 };
      });
    await world.eu.start({ proofQuestions });
    await world.us.start({ index: standby, proofQuestions });
    await until("the standby to be level", async () => (await standby.position()).seq === RECORDS);
    await sql("ANALYZE records");
  });
  after(() => world?.close());

  const until = (what: string, look: () => boolean | Promise<boolean>): Promise<void> =>
    eventually(what, look, 60_000);

  /** By a person's order: unasked, the searches are tried every 15 s. */
  async function order(path: string) {
    const { status, body } = await world.us.ask("POST", path, {});
    assert.equal(status, 200, JSON.stringify(body));
    return z.object({ fault: z.unknown(), cured: z.unknown() }).partial().parse(body);
  }

  const verify = async () => (await order(AGENT_PATHS.verify(INDEX))).fault;

  async function spoilGraph(inflict: Damage["inflict"]): Promise<void> {
    const [row] = await sql(`SELECT indexname AS name, indexdef AS definition FROM pg_indexes
      WHERE indexname LIKE 'graph_%' AND schemaname = current_schema()`);
    const { name, definition } = z.object({ name: z.string(), definition: z.string() }).parse(row);
    await sql(`DROP INDEX ${name}`);
    await inflict(sql, name, (options) =>
      definition.replace(/ WITH \(.*?\)/, ` WITH (${options})`),
    );
  }

  it("finds no fault in the graph that it built", async () => {
    assert.equal(await verify(), null);
  });
  for (const { name, ordered, inflict } of DAMAGES) {
    it(`${name}: graph-fault, and is built anew`, async (t) => {
      const before = { at: await standby.position(), records: await allRecords() };
      await spoilGraph(inflict);
      const from = world.us.log.length;
      const news = (): string[] => world.us.log.slice(from);
      const began = clock.monotonic();
      const fault = z.object({ kind: z.string(), because: z.string() }).parse(await verify());
      const found = clock.monotonic() - began;
      assert.equal(fault.kind, "graph-fault");
      // The loop rests after a cure, for ten times as long as that took.
      if (ordered) assert.equal((await order(AGENT_PATHS.repair(INDEX))).cured, true);
      await until("it to answer again", () => news().some((line) => line.includes("again")));
      const cured = clock.monotonic() - began;
      t.diagnostic(fault.because);
      t.diagnostic(news().find((line) => line.includes("answers again")) ?? "");
      t.diagnostic(
        `named after ${Math.round(found)} ms, answering again after ${Math.round(cured)} ms`,
      );
      assert.deepEqual({ at: await standby.position(), records: await allRecords() }, before);
      assert.deepEqual((await standby.facts()).faults, []);
      assert.equal(await verify(), null);
    });
  }

  function allRecords() {
    return standby.recordsIn({ prefix: 0, bits: 0 });
  }
});

function optionsOf({ m, efConstruction }: typeof HNSW): string {
  return `m = ${m}, ef_construction = ${efConstruction}`;
}

function change(id: string, vector: Float32Array = new Float32Array(0)): EmbeddedChange {
  const bytes = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
  const texts = { op: "upsert" as const, id, title: id, text: "", audience: "public", labels: [] };
  const vectors = { embedding: EMBEDDING, vector: bytes.toString("base64") };
  return { ...texts, ...vectors, payload: {}, sourceTime: 1_000 };
}
