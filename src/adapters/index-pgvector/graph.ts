import { createHash } from "node:crypto";
import { literal, type Session } from "./database.ts";
import type { HnswOptions } from "./options.ts";
import type { Meta } from "./rows.ts";
import { toColumn } from "./text.ts";

type Held = Meta["held"][number];

/** What pgvector's graphs take, of the type `vector`. */
export const MOST_GRAPH_DIMENSIONS = 2_000;

/**
 * Graphs of `records`: one for each embedding version, since the vectors of one have equal
 * dimensions. The name says the version; a restore's table has its own, told apart by `generation`.
 */
const GRAPHS = `SELECT relname AS name, reloptions AS options FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam
  WHERE i.indrelid = 'records'::regclass AND am.amname = 'hnsw' AND i.indisvalid`;

export async function hasGraph(session: Session, held: Held): Promise<boolean> {
  const rows = await session.all(`${GRAPHS} AND relname LIKE $1`, [`${stem(held)}%`]);
  return rows.length > 0;
}

/** Parameters of each graph, such as `m=16, ef_construction=64`; by embedding version's name. */
export async function graphOptions(session: Session): Promise<Map<string, string>> {
  const rows = await session.all(`${GRAPHS} ORDER BY relname`);
  return new Map(
    rows.map((row) => {
      const options = Array.isArray(row.options) ? row.options.map(String).sort() : [];
      return [String(row.name), options.join(", ")];
    }),
  );
}

export function optionsText({ m, efConstruction }: HnswOptions): string {
  return [`ef_construction=${efConstruction}`, `m=${m}`].join(", ");
}

/**
 * Makes the graphs that lack of these embedding versions. In a filled table that takes long; the
 * first record of a version makes its graph while there is nothing to build.
 */
export async function ensureGraphs(
  session: Session,
  table: string,
  meta: Pick<Meta, "held" | "generation">,
  hnsw: HnswOptions,
): Promise<void> {
  for (const held of meta.held) {
    if (held.dimensions > MOST_GRAPH_DIMENSIONS) continue;
    if (table === "records" && (await hasGraph(session, held))) continue;
    await session.all(
      `CREATE INDEX ${stem(held)}_${meta.generation} ON ${table}
         USING hnsw ((vector::vector(${held.dimensions})) vector_cosine_ops)
         WITH (m = ${hnsw.m}, ef_construction = ${hnsw.efConstruction})
         WHERE embedding = ${literal(toColumn(held.embedding))}`,
    );
  }
  // Vectors of zeros are in no graph, and have to be found nevertheless.
  await session.all(
    `CREATE INDEX IF NOT EXISTS blank_${meta.generation} ON ${table} (id)
       WHERE vector_norm(vector) = 0`,
  );
}

function stem({ embedding, dimensions }: Held): string {
  const hash = createHash("sha256").update(embedding).digest("hex").slice(0, 16);
  return `graph_${hash}_${dimensions}`;
}
