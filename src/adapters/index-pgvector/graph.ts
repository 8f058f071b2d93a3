import { createHash } from "node:crypto";
import type { HnswSpec } from "../../model/index-engine.ts";
import { literal, type Session } from "./database.ts";
import type { Meta } from "./rows.ts";
import { toColumn } from "./text.ts";

type Held = Meta["held"][number];

/** What pgvector's graphs take, of the type `vector`. */
export const MOST_GRAPH_DIMENSIONS = 2_000;

/**
 * One graph for each embedding version, since only the vectors of one have equal dimensions. The
 * name of a graph says which; a restore's table has its own, told apart by the number at the end.
 */
const INDEXES = `SELECT relname AS name, reloptions AS options FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1::regclass AND i.indisvalid`;

export async function hasGraph(session: Session, held: Held): Promise<boolean> {
  const rows = await session.all(INDEXES, ["records"]);
  return rows.some(({ name }) => String(name).startsWith(stem(held)));
}

/** Parameters of each graph, such as `m=16, ef_construction=64`; by embedding version's name. */
export async function graphOptions(session: Session): Promise<Map<string, string>> {
  const rows = await session.all(`${INDEXES} ORDER BY relname`, ["records"]);
  const graphs = rows.filter(({ name }) => String(name).startsWith(GRAPH));
  return new Map(
    graphs.map((row) => {
      const options = Array.isArray(row.options) ? row.options.map(String).sort() : [];
      return [String(row.name), options.join(", ")];
    }),
  );
}

export function optionsText({ m, efConstruction }: HnswSpec): string {
  return [`ef_construction=${efConstruction}`, `m=${m}`].join(", ");
}

/**
 * Makes the graphs that lack of these embedding versions. In a filled table that takes long; the
 * first record of a version makes its graph while there is nothing to build.
 */
export async function ensureGraphs(
  session: Session,
  table: string,
  meta: Pick<Meta, "held" | "attempt">,
  hnsw: HnswSpec,
): Promise<void> {
  const rows = await session.all(INDEXES, [table]);
  const lacks = (start: string): boolean =>
    !rows.some(({ name }) => String(name).startsWith(start));
  for (const held of meta.held) {
    if (held.dimensions > MOST_GRAPH_DIMENSIONS || !lacks(stem(held))) continue;
    await session.all(
      `CREATE INDEX ${stem(held)}${meta.attempt} ON ${table}
         USING hnsw ((vector::vector(${held.dimensions})) vector_cosine_ops)
         WITH (m = ${hnsw.m}, ef_construction = ${hnsw.efConstruction})
         WHERE embedding = ${literal(toColumn(held.embedding))}`,
    );
  }
  // Vectors of zeros are in no graph, and have to be found nevertheless.
  if (!lacks(BLANK)) return;
  await session.all(
    `CREATE INDEX ${BLANK}${meta.attempt} ON ${table} (id) WHERE vector_norm(vector) = 0`,
  );
}

const GRAPH = "graph_";
const BLANK = "blank_";

function stem({ embedding, dimensions }: Held): string {
  const hash = createHash("sha256").update(embedding).digest("hex").slice(0, 16);
  return `${GRAPH}${hash}_${dimensions}_`;
}
