import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { IndexFaultKind } from "../../model/index-health.ts";
import { spellingOf } from "../../model/vectors.ts";
import { diagnose, type IndexMeasures } from "./diagnosis.ts";

const BOTH = spellingOf([
  { version: "minilm-1", dimensions: 384 },
  { version: "minilm-2", dimensions: 768 },
]);

const WELL: IndexMeasures = {
  count: { expected: 1_000, found: 1_000 },
  altered: { ids: [], fields: null },
  digestsEqual: true,
  embeddings: { "minilm-1": 1_000 },
  embedding: "minilm-1",
  recall: { value: 0.98, of: 50, least: 0.95 },
  golden: { value: 0.95, of: 20, least: 0.9 },
  leaks: [],
  hidden: [],
};

interface Case {
  readonly name: string;
  readonly but: Partial<IndexMeasures>;
  readonly kind: IndexFaultKind | null;
  readonly because?: string;
}

const ids = (count: number): string[] => Array.from({ length: count }, (_, at) => `doc-${at}`);

const CASES: readonly Case[] = [
  { name: "a copy that is as it was written", but: {}, kind: null },
  {
    name: "one of a thousand records lost",
    but: { count: { expected: 1_000, found: 999 }, digestsEqual: false },
    kind: "loss",
    because: "1 of 1000 records are missing (0.10 %)",
  },
  {
    name: "records lost, and others altered beside",
    but: { count: { expected: 1_000, found: 950 }, altered: { ids: ids(3), fields: null } },
    kind: "loss",
    because: "50 of 1000 records are missing (5.0 %)",
  },
  {
    name: "one bit flipped",
    but: { altered: { ids: ["doc-7"], fields: { vector: 1 } } },
    kind: "corruption",
    because: "1 of 1000 records are not what was written (doc-7); changed: vector of 1",
  },
  {
    name: "one in a hundred swapped, with nobody to compare them with",
    but: { altered: { ids: ids(10), fields: null } },
    kind: "corruption",
    because: "10 of 1000 records are not what was written (doc-0 and others)",
  },
  {
    name: "as many records with other digests",
    but: { digestsEqual: false },
    kind: "corruption",
    because: "its 1000 records are as many as were written, and not the same",
  },
  {
    name: "more records than were written",
    but: { count: { expected: 1_000, found: 1_003 } },
    kind: "corruption",
    because: "there are 1003 records, and 1000 were written",
  },
  {
    name: "a graph that misses a third",
    but: { recall: { value: 0.66, of: 50, least: 0.95 } },
    kind: "graph-fault",
    because:
      "the approximate search finds 66.0 % of what an exact one finds (50 questions, 95.0 % is the least)",
  },
  {
    name: "a graph that misses so much that the golden questions fail",
    but: {
      recall: { value: 0.05, of: 50, least: 0.95 },
      golden: { value: 0, of: 20, least: 0.9 },
    },
    kind: "graph-fault",
  },
  {
    name: "all found, and nothing of it is right",
    but: { golden: { value: 0, of: 20, least: 0.9 } },
    kind: "embedding-skew",
    because:
      "recall is 98.0 %, and 20 golden questions find 0 %: the vectors are of another model than the questions'",
  },
  {
    name: "a golden score that is low, and not near zero",
    but: { golden: { value: 0.7, of: 20, least: 0.9 } },
    kind: null,
  },
  {
    name: "records of another embedding version",
    but: { embeddings: { "minilm-2": 1_000 } },
    kind: "embedding-skew",
    because: "1000 of 1000 records are embedded as minilm-2, questions as minilm-1",
  },
  {
    name: "half of the records embedded anew",
    but: {
      embeddings: { "minilm-1": 500, "minilm-2": 500 },
      altered: { ids: ids(500), fields: { embedding: 500, vector: 500 } },
    },
    kind: "embedding-skew",
    because: "500 of 1000 records are embedded as minilm-2, questions as minilm-1",
  },
  {
    name: "vectors of a second version in half of the records, beside those that are asked with",
    but: { embeddings: { "minilm-1": 500, [BOTH]: 500 } },
    kind: null,
  },
  {
    name: "the same, and a release that asks with the second one",
    but: { embeddings: { "minilm-1": 500, [BOTH]: 500 }, embedding: "minilm-2" },
    kind: "embedding-skew",
    because: "500 of 1000 records are embedded as minilm-1, questions as minilm-2",
  },
  {
    name: "the same, and no release: what all have can be asked",
    but: { embeddings: { "minilm-1": 500, [BOTH]: 500 }, embedding: null },
    kind: null,
  },
  {
    name: "two embedding versions, and no release to say which",
    but: { embeddings: { a: 1, b: 2 }, embedding: null },
    kind: "embedding-skew",
    because: "the 3 records are embedded as a and b",
  },
  {
    name: "all vectors replaced under the old version's name",
    but: {
      altered: { ids: ids(1_000), fields: { vector: 1_000 } },
      golden: { value: 0, of: 20, least: 0.9 },
    },
    kind: "embedding-skew",
    because:
      "the vectors of 1000 of 1000 records are others than were written, and nothing else of them is, and golden questions find 0 %",
  },
  {
    name: "the labels of one tenant's records changed",
    but: { altered: { ids: ids(40), fields: { labels: 40 } } },
    kind: "authorization",
    because: "who may see them was changed in 40 of 40 altered records (doc-0 and others)",
  },
  {
    name: "one record given to another tenant among lost and altered ones",
    but: {
      count: { expected: 1_000, found: 900 },
      altered: { ids: ids(3), fields: { audience: 1, vector: 2 } },
    },
    kind: "authorization",
  },
  {
    name: "a canary of another tenant seen",
    but: { leaks: [{ document: "acme-canary", to: "bolt" }] },
    kind: "authorization",
    because: "a search for bolt gives acme-canary, which is not theirs",
  },
  {
    name: "a canary that its own tenant does not find",
    but: { hidden: [{ document: "acme-canary", from: "acme" }] },
    kind: "authorization",
    because: "acme does not find its own acme-canary",
  },
  {
    name: "nothing asked: no questions, no release",
    but: { recall: null, golden: null, embedding: null },
    kind: null,
  },
];

describe("the diagnosis of an index", () => {
  for (const { name, but, kind, because } of CASES) {
    it(`${name}: ${kind ?? "nothing"}`, () => {
      const fault = diagnose({ ...WELL, ...but });
      assert.equal(fault?.kind ?? null, kind);
      if (because !== undefined) assert.equal(fault?.because, because);
    });
  }
});
