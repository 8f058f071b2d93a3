import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openSqliteIndex } from "../../src/adapters/index-sqlite/index.ts";
import { corpusOf, keysOf } from "../../src/app/estate.ts";
import { ingestDocuments } from "../../src/app/local-estate.ts";
import type { SourceDocument } from "../../src/model/change.ts";
import type { IndexStore } from "../../src/ports/index.ts";
import {
  CRANFIELD_FOLDER,
  type Cranfield,
  cranfieldPresent,
  ndcg,
  readCranfield,
} from "../support/cranfield.ts";
import { eventually, startSample, type TestEstate } from "../support/estate.ts";

const INDEX = "cranfield";
const REGIONS = ["eu-west", "us-east"] as const;
const DEPTH = 10;
const LEAST_NDCG = 0.4;
const SETTLE_MS = 90_000;

const skip = cranfieldPresent() ? false : `the Cranfield collection is not in ${CRANFIELD_FOLDER}`;

describe("search on a public collection", { skip }, () => {
  it("is as good in the copy as in the original", async (t) => {
    const up = await startSample([[["indexes", INDEX], { home: "eu-west", maxLag: "2s" }]]);
    t.after(() => up.stop());
    const cranfield = readCranfield();
    assert.equal(corpusOf(up.estate, INDEX), undefined);
    await ingestDocuments(up.estate, up.control, keysOf(up.estate).token, {
      index: INDEX,
      documents: cranfield.documents.map(asSource),
      signal: t.signal,
    });
    await level(up, cranfield.documents.length);

    const figures = await Promise.all(REGIONS.map((region) => quality(up, region, cranfield)));
    for (const [at, figure] of figures.entries()) {
      t.diagnostic(`nDCG@${DEPTH} in ${REGIONS[at]}: ${figure.toFixed(4)}`);
      assert.ok(figure >= LEAST_NDCG, `${REGIONS[at]}: ${figure}`);
    }
    assert.equal(figures[0]?.toFixed(4), figures[1]?.toFixed(4));
  });
});

/** Documents of one moment, in the collection's order. */
function asSource({ id, title, text }: Cranfield["documents"][number]): SourceDocument {
  const common = { audience: "public", labels: [], payload: {}, sourceTime: Date.UTC(1967, 0) };
  return { id: `cranfield-${id}`, title, text, ...common };
}

/** Until the replica says of itself that it has the owner's last change, and all of it. */
async function level(up: TestEstate, count: number): Promise<void> {
  const owner = openIndex(up, "eu-west");
  const replica = openIndex(up, "us-east");
  try {
    const [a, b] = await Promise.all([owner, replica]);
    const look = async (): Promise<boolean> => {
      const [original, copy] = await Promise.all([a.position(), b.position()]);
      return original.count === count && original.digest === copy.digest;
    };
    await eventually("the copy to be level with the original", look, SETTLE_MS);
  } finally {
    for (const index of await Promise.all([owner, replica])) await index.close();
  }
}

function openIndex(up: TestEstate, region: string): Promise<IndexStore> {
  const path = up.estate.data.region(region).index(INDEX);
  return openSqliteIndex({ path, readOnly: true });
}

/** Mean nDCG@10 of a region: its runtime's vectors in its copy of the index. */
async function quality(up: TestEstate, region: string, cranfield: Cranfield): Promise<number> {
  const index = await openIndex(up, region);
  try {
    const judged = cranfield.queries.filter(({ id }) => cranfield.judgements.has(id));
    assert.ok(judged.length > 0);
    const vectors = await embed(
      up,
      region,
      judged.map(({ text }) => text),
    );
    let total = 0;
    for (const [at, query] of judged.entries()) {
      const hits = await index.search({
        vector: vectors[at] ?? assert.fail(`no vector of query ${query.id}`),
        embedding: embeddingOf(up),
        audiences: ["public", "acme"],
        k: DEPTH,
      });
      const ranking = hits.map(({ id }) => id.replace("cranfield-", ""));
      total += ndcg(ranking, cranfield.judgements.get(query.id) ?? new Map(), DEPTH);
    }
    return total / judged.length;
  } finally {
    await index.close();
  }
}

/** As the gateway asks: the region's own runtime, plain floats. */
async function embed(
  up: TestEstate,
  region: string,
  texts: readonly string[],
): Promise<Float32Array[]> {
  const target = up.estate.spec.regions[region]?.components.runtime.targets[0];
  const response = await fetch(`${target?.url}/v1/embeddings`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: embeddingOf(up), input: texts, encoding_format: "float" }),
  });
  assert.equal(response.status, 200);
  const { data } = (await response.json()) as { data: { embedding: number[] }[] };
  return data.map(({ embedding }) => Float32Array.from(embedding));
}

function embeddingOf(up: TestEstate): string {
  return up.estate.release?.body.embedding?.id ?? assert.fail("the release has no embedding");
}
