import type { RegionSpec } from "../../model/spec.ts";
import { type Finding, type Rule, regionsOf } from "./rule.ts";

/** Rules about what a region keeps its copies of indexes in, and what indexes are fed from. */

type IndexPart = NonNullable<RegionSpec["components"]["index"]>;

function each(judge: (index: IndexPart, path: Finding["path"]) => Finding[]): Rule {
  return (spec) =>
    regionsOf(spec).flatMap(([name, { components }]) => {
      if (components.index === undefined) return [];
      return judge(components.index, ["regions", name, "components", "index"]);
    });
}

export const serverIsNamed: Rule = each(({ engine, urlEnv }, path) => {
  if (engine !== "pgvector" || urlEnv !== undefined) return [];
  const message = "has engine pgvector, and does not say where PostgreSQL is";
  const instead = "add urlEnv: TIDEOVER_INDEX_URL, a variable with the connection string";
  return [{ path, on: "key", value: "", message, instead }];
});

/** What only one engine understands. */
const PARTS = [
  ["urlEnv", "pgvector"],
  ["schema", "pgvector"],
  ["reader", "pgvector"],
  ["hnsw", "pgvector"],
  ["folder", "lancedb"],
] as const;

export const partsFitTheEngine: Rule = each((index, path) =>
  PARTS.flatMap(([part, engine]): Finding[] => {
    if (index.engine === engine || index[part] === undefined) return [];
    const message = `is a part of engine ${engine}, and this one is ${index.engine}`;
    const instead = `remove it, or write engine: ${engine}`;
    return [{ path: [...path, part], on: "key", value: "", message, instead }];
  }),
);

/** pgvector refuses it as well, though not before the first record comes. */
export const graphsCanBeBuilt: Rule = each(({ hnsw }, path) => {
  if (hnsw === undefined || hnsw.efConstruction >= 2 * hnsw.m) return [];
  const message = `needs efConstruction of at least ${2 * hnsw.m}, and it is ${hnsw.efConstruction}`;
  const instead = `write m: ${Math.floor(hnsw.efConstruction / 2)} or less, or a larger efConstruction`;
  return [{ path: [...path, "hnsw", "m"], message, instead }];
});

/** Two pipelines of one index would each take the other's documents for its own. */
export const oneSourceEach: Rule = (spec) =>
  Object.entries(spec.indexes).flatMap(([name, { adopt, corpus }]): Finding[] => {
    if (adopt === undefined || corpus === undefined) return [];
    const message = `is given while ${name} adopts table ${adopt.table}`;
    const instead = "remove one of the two, or make two indexes of it";
    return [{ path: ["indexes", name, "corpus"], message, instead }];
  });

export const adoptedVectorsAreNamed: Rule = (spec) =>
  Object.entries(spec.indexes).flatMap(([name, { adopt }]): Finding[] => {
    if (adopt === undefined || (adopt.embedding ?? adopt.columns.embedding) !== undefined)
      return [];
    const message = "does not say which embedding version made the vectors";
    const instead = "add embedding: NAME, or columns.embedding where a column says it";
    return [{ path: ["indexes", name, "adopt"], on: "key", value: "", message, instead }];
  });
