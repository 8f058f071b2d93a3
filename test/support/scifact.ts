import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Real sentence embeddings (MiniLM, 128 dimensions, unit norm) of scientific abstracts. */
export interface SciFact {
  readonly ids: readonly string[];
  readonly vectors: readonly Float32Array[];
  readonly queries: readonly { readonly id: string; readonly vector: Float32Array }[];
  /** Query id -> ids of the documents that answer it. */
  readonly judgements: ReadonlyMap<string, readonly string[]>;
}

/** The collection's folder beside the repository, wherever the repository is checked out. */
const FOLDER = fileURLToPath(new URL("../../../shared/data/scifact-minilm/", import.meta.url));
const FILES = {
  vectors: "embeddings_minilm_pca128.npy",
  ids: "embedding_ids_minilm.jsonl",
  queries: "query_embeddings_minilm_128.npy",
  queryIds: "query_ids_minilm.jsonl",
  judgements: "qrels.tsv",
};

export function scifactPresent(): boolean {
  return Object.values(FILES).every((file) => existsSync(FOLDER + file));
}

export function readSciFact(): SciFact {
  const queryIds = readLines(FILES.queryIds).map((line) => String(JSON.parse(line).query_id));
  const queryVectors = readVectors(FILES.queries);
  return {
    ids: readLines(FILES.ids).map((line) => String(JSON.parse(line).doc_id)),
    vectors: readVectors(FILES.vectors),
    queries: queryIds.map((id, at) => ({ id, vector: queryVectors[at] ?? new Float32Array(0) })),
    judgements: readJudgements(),
  };
}

function readLines(file: string): string[] {
  // On \n only: other line ends stand inside the texts.
  const lines = readFileSync(FOLDER + file, "utf8").split("\n");
  return lines.filter((line) => line !== "");
}

/** A .npy file of version 1 with little-endian f32 in rows. */
function readVectors(file: string): Float32Array[] {
  const bytes = readFileSync(FOLDER + file);
  const begin = 10 + bytes.readUInt16LE(8);
  const header = bytes.toString("latin1", 10, begin);
  const [, rows = "0", columns = "0"] = /'shape': \((\d+), (\d+)\)/.exec(header) ?? [];
  if (!header.includes("'<f4'")) throw new Error(`${file} holds no little-endian f32`);
  const width = Number(columns) * 4;
  return Array.from({ length: Number(rows) }, (_, row) => {
    const at = begin + row * width;
    return new Float32Array(Uint8Array.from(bytes.subarray(at, at + width)).buffer);
  });
}

function readJudgements(): Map<string, string[]> {
  const judgements = new Map<string, string[]>();
  for (const line of readLines(FILES.judgements).slice(1)) {
    const [query = "", document = "", relevance] = line.split("\t");
    if (Number(relevance) <= 0) continue;
    judgements.set(query, [...(judgements.get(query) ?? []), document]);
  }
  return judgements;
}
