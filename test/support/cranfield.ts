import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * Reader and judge for the public Cranfield collection, which lies outside the repository in
 * `../shared/data/cranfield`. A fresh machine does not have it: ask `cranfieldPresent` first and
 * skip visibly. Nothing learnt from it may go into the product.
 */

export interface CranfieldDocument {
  /** "1" to "1400". */
  readonly id: string;
  readonly title: string;
  /** The abstract; it repeats the title as its first words. */
  readonly text: string;
}

export interface CranfieldQuery {
  /** "1" to "225": the position in the file, which is how the judgements count. */
  readonly id: string;
  readonly text: string;
}

export interface Cranfield {
  readonly documents: readonly CranfieldDocument[];
  readonly queries: readonly CranfieldQuery[];
  /** query id -> document id -> gain, 4 (complete answer) to 1 (minimum interest). */
  readonly judgements: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/** The collection's folder beside the repository, wherever the repository is checked out. */
export const CRANFIELD_FOLDER = fileURLToPath(
  new URL("../../../shared/data/cranfield/", import.meta.url),
);

export function cranfieldPresent(folder: string = CRANFIELD_FOLDER): boolean {
  return ["cran.all.1400", "cran.qry", "cranqrel"].every((file) => existsSync(`${folder}/${file}`));
}

/** Reads all three files. Throws the file system's error when one is missing. */
export function readCranfield(folder: string = CRANFIELD_FOLDER): Cranfield {
  const read = (file: string): string => readFileSync(`${folder}/${file}`, "latin1");
  const documents = parseSmart(read("cran.all.1400")).map((record) => ({
    id: String(Number(record.get("I"))),
    title: record.get("T") ?? "",
    text: record.get("W") ?? "",
  }));
  // The `.I` numbers of the queries have gaps and the judgements ignore them: count positions.
  const queries = parseSmart(read("cran.qry")).map((record, index) => ({
    id: String(index + 1),
    text: record.get("W") ?? "",
  }));
  return { documents, queries, judgements: parseJudgements(read("cranqrel")) };
}

/** SMART records: `.I n` opens one, `.T .A .B .W` open its fields. */
function parseSmart(text: string): Map<string, string>[] {
  return text
    .split(/^\.I /m)
    .slice(1)
    .map((block) => {
      const [id = "", ...fields] = block.split(/^\.([TABW])\s*$/m);
      const record = new Map([["I", id.trim()]]);
      for (let at = 0; at + 1 < fields.length; at += 2) {
        record.set(fields[at] ?? "", (fields[at + 1] ?? "").trim().replace(/\s+/g, " "));
      }
      return record;
    });
}

function parseJudgements(text: string): Map<string, Map<string, number>> {
  const judgements = new Map<string, Map<string, number>>();
  for (const line of text.split("\n")) {
    const [query = "", document = "", code = ""] = line.trim().split(/\s+/);
    // Code 1 is best, and -1 says "none": taking the code as the gain would turn the figure round.
    const gain = /^[1-4]$/.test(code) ? 5 - Number(code) : 0;
    if (query === "" || gain === 0) continue;
    const gains = judgements.get(query) ?? new Map<string, number>();
    gains.set(document, gain);
    judgements.set(query, gains);
  }
  return judgements;
}

/** nDCG at `depth` of one ranking (best first), linear gains. 0 when nothing is relevant. */
export function ndcg(
  ranking: readonly string[],
  gains: ReadonlyMap<string, number>,
  depth = 10,
): number {
  const discounted = (values: readonly number[]): number =>
    values.slice(0, depth).reduce((sum, gain, rank) => sum + gain / Math.log2(rank + 2), 0);
  const ideal = discounted([...gains.values()].sort((a, b) => b - a));
  return ideal === 0 ? 0 : discounted(ranking.map((id) => gains.get(id) ?? 0)) / ideal;
}

/** Mean nDCG@10 over all judged queries, for any search that returns document ids, best first. */
export function meanNdcg(
  cranfield: Cranfield,
  search: (query: CranfieldQuery) => readonly string[],
): number {
  const judged = cranfield.queries.filter((query) => cranfield.judgements.has(query.id));
  const total = judged.reduce((sum, query) => {
    const gains = cranfield.judgements.get(query.id) ?? new Map<string, number>();
    return sum + ndcg(search(query), gains);
  }, 0);
  return judged.length === 0 ? 0 : total / judged.length;
}

/** Exact search over unit vectors by dot product; ties go to the earlier document. */
export function exactSearch(
  ids: readonly string[],
  vectors: readonly (readonly number[])[],
  query: readonly number[],
  depth = 10,
): string[] {
  const scored = vectors.map((vector, row) => ({ row, score: dot(vector, query) }));
  scored.sort((a, b) => b.score - a.score || a.row - b.row);
  return scored.slice(0, depth).map(({ row }) => ids[row] ?? "");
}

function dot(a: readonly number[], b: readonly number[]): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += (a[at] ?? 0) * (b[at] ?? 0);
  return sum;
}
