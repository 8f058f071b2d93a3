import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { openSqliteIndex } from "../adapters/index-sqlite/index.ts";
import { tempFolder } from "../config/temp-folder.fixture.ts";
import { openEstate } from "./estate.ts";
import { indexEmbeddings } from "./index-embeddings.ts";

const SPEC = join(dirname(fileURLToPath(import.meta.url)), "../../examples/estate/tideover.yaml");

/** A region's copy of an index with one record of this embedding version; none: an empty index. */
async function fill(path: string, embedding?: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const index = await openSqliteIndex({ path });
  const vector = Buffer.from(new Float32Array([1, 0]).buffer).toString("base64");
  const texts = { op: "upsert", id: "a", title: "A", text: "a", audience: "public" } as const;
  const record = { ...texts, labels: [], payload: {} };
  if (embedding !== undefined) {
    await index.append(1, [{ ...record, sourceTime: 1, embedding, vector }]);
  }
  await index.close();
}

test("the embedding versions of every copy on this machine are found, and no copy is made", async () => {
  using data = tempFolder({});
  const estate = openEstate({ spec: SPEC, data: data.path });
  assert.deepEqual(await indexEmbeddings(estate), new Map());
  await fill(estate.data.region("eu-west").index("handbook"), "lexical@2026-02");
  assert.deepEqual(await indexEmbeddings(estate), new Map([["handbook", [["lexical@2026-02"]]]]));
  await fill(estate.data.region("us-east").index("handbook"), "lexical@2026-01");
  assert.deepEqual(
    await indexEmbeddings(estate),
    new Map([["handbook", [["lexical@2026-02"], ["lexical@2026-01"]]]]),
  );
});

test("an empty index agrees with every release", async () => {
  using data = tempFolder({});
  const estate = openEstate({ spec: SPEC, data: data.path });
  await fill(estate.data.region("eu-west").index("handbook"));
  assert.deepEqual(await indexEmbeddings(estate), new Map());
});

test("a restored index bears the version of its records, though its log is empty", async () => {
  using data = tempFolder({});
  const estate = openEstate({ spec: SPEC, data: data.path });
  const from = join(data.path, "elsewhere.db");
  await fill(from, "lexical@2026-03");
  const [source, copy] = [
    await openSqliteIndex({ path: from }),
    await openSqliteIndex({ path: estate.data.region("eu-west").index("handbook") }),
  ];
  const snapshot = await source.openSnapshot();
  await copy.restore({ ...snapshot, records: snapshot.records(10) });
  for (const opened of [snapshot, source, copy]) await opened.close();
  assert.deepEqual(await indexEmbeddings(estate), new Map([["handbook", [["lexical@2026-03"]]]]));
});
