import { createHash } from "node:crypto";
import { placeOf, type VectorPlace } from "../../core/reconcile/vectors.ts";
import type { HnswSpec } from "../../model/index-engine.ts";
import { versionNames } from "../../model/vectors.ts";
import { literal, type Session } from "./database.ts";
import type { Meta } from "./rows.ts";
import { toColumn } from "./text.ts";

type Held = Meta["held"][number];

/** What pgvector's graphs take, of the type `vector`. */
export const MOST_GRAPH_DIMENSIONS = 2_000;

/**
 * One graph for each embedding version, since only the vectors of one have equal dimensions; where
 * records have vectors of several, one for each of them. The name of a graph says which; a restore's
 * table has its own, told apart by the number at the end.
 */
const INDEXES = `SELECT relname AS name, reloptions AS options FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1::regclass AND i.indisvalid`;

/** Whether each of these vectors has its graph. */
export async function haveGraphs(
  session: Session,
  places: readonly VectorPlace[],
): Promise<boolean> {
  const rows = await session.all(INDEXES, ["records"]);
  return places.every((place) =>
    rows.some(({ name }) => String(name).startsWith(`${GRAPH}${stem(place)}`)),
  );
}

/** All vectors that there are in the records of a table. */
export function placesIn(held: readonly Held[]): VectorPlace[] {
  return held.flatMap((one) =>
    versionNames(one.embedding).flatMap((version) => placeOf(one, version) ?? []),
  );
}

/** A vector as SQL, out of a record that may have several. */
export function columnOf({ from, dimensions, total }: VectorPlace): string {
  return dimensions === total ? "vector" : `subvector(vector, ${from + 1}, ${dimensions})`;
}

/**
 * Whether a vector is one of zeros, which no graph holds, and which has to be found nevertheless.
 * Only asked of the records that have their vectors laid out so: in others there is no such part.
 */
export function isBlank(place: VectorPlace): string {
  if (place.dimensions === place.total) return "vector_norm(vector) = 0";
  const ours = `embedding = ${literal(toColumn(place.embedding))}`;
  return `CASE WHEN ${ours} THEN vector_norm(${columnOf(place)}) = 0 ELSE false END`;
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
  for (const place of placesIn(meta.held)) {
    const { dimensions, embedding } = place;
    const graph = `${GRAPH}${stem(place)}`;
    if (dimensions <= MOST_GRAPH_DIMENSIONS && lacks(graph)) {
      await session.all(
        `CREATE INDEX ${graph}${meta.attempt} ON ${table}
           USING hnsw ((${columnOf(place)}::vector(${dimensions})) vector_cosine_ops)
           WITH (m = ${hnsw.m}, ef_construction = ${hnsw.efConstruction})
           WHERE embedding = ${literal(toColumn(embedding))}`,
      );
    }
    const blank = dimensions === place.total ? BLANK : `${BLANKS}${stem(place)}`;
    if (!lacks(blank)) continue;
    await session.all(
      `CREATE INDEX ${blank}${meta.attempt} ON ${table} (id) WHERE ${isBlank(place)}`,
    );
  }
}

const GRAPH = "graph_";
const BLANK = "blank_";
const BLANKS = "blanks_";

function stem({ embedding, dimensions, from, total }: VectorPlace): string {
  const hash = createHash("sha256").update(embedding).digest("hex").slice(0, 16);
  const part = dimensions === total ? "" : `${from}_`;
  return `${hash}_${part}${dimensions}_`;
}
