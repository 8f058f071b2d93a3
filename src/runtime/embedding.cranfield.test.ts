import assert from "node:assert/strict";
import { test } from "node:test";
import {
  cranfieldPresent,
  exactSearch,
  meanNdcg,
  readCranfield,
} from "../../test/support/cranfield.ts";
import { createEmbedder } from "./embedding.ts";

const skip = cranfieldPresent() ? false : "../shared/data/cranfield is not there";

function figure(salt: string): number {
  const cranfield = readCranfield();
  const { embed } = createEmbedder({ salt });
  const ids = cranfield.documents.map((document) => document.id);
  const vectors = cranfield.documents.map((document) => embed(document.text));
  return meanNdcg(cranfield, (query) => exactSearch(ids, vectors, embed(query.text)));
}

test("the collection is read whole, with its judgements by file position", { skip }, () => {
  const { documents, queries, judgements } = readCranfield();
  assert.equal(documents.length, 1400);
  assert.equal(queries.length, 225);
  assert.equal(judgements.size, 225);
  // Document 184 is "a high degree of relevance" (code 2) for the first query: gain 3.
  assert.equal(judgements.get("1")?.get("184"), 3);
});

test("exact search at the default size reaches nDCG@10 0.40 whatever the salt", { skip }, (t) => {
  for (const salt of ["v1", "v2"]) {
    const reached = figure(salt);
    t.diagnostic(`Cranfield nDCG@10, 768 dimensions, salt ${salt}: ${reached.toFixed(4)}`);
    assert.ok(reached >= 0.4, `nDCG@10 is ${reached.toFixed(4)}`);
  }
});
