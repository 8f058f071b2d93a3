import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { IndexFacts } from "../../model/index-health.ts";
import { type AcceptanceInput, judgeAcceptance, refusalOf } from "./acceptance.ts";

const DIGEST = `${"0".repeat(31)}7`;
const FACTS: IndexFacts = {
  engine: "pgvector",
  approximate: true,
  tenantGuard: "row-level-security",
  settings: { hnsw: "m=16" },
  faults: [],
};

const GOOD: AcceptanceInput = {
  own: { seq: 9, digest: DIGEST, sourceTime: 1, count: 3 },
  sums: [
    { prefix: 0, bits: 1, count: 1, digest: `${"0".repeat(31)}3` },
    { prefix: 1, bits: 1, count: 2, digest: `${"0".repeat(31)}4` },
  ],
  findings: [],
  owner: { region: "eu-west", digest: DIGEST, count: 3 },
  recall: { value: 0.99, of: 20, least: 0.95 },
  overlap: { value: 1, of: 20, least: 0.9 },
  golden: { value: 1, of: 20, least: 0.9 },
  canaries: [{ document: "a", tenant: "acme", other: "bolt", seenByOwn: true, seenByOther: false }],
  facts: FACTS,
  ownerFacts: FACTS,
};

const range = { prefix: 5, bits: 16 };
const canary = { document: "a", tenant: "acme", other: "bolt" };
const REFUSED: readonly (readonly [string, string, Partial<AcceptanceInput>])[] = [
  ["counts", "fewer records than the position says", { own: { ...GOOD.own, count: 4 } }],
  ["counts", "fewer records than the owner", { owner: { region: "eu", digest: DIGEST, count: 4 } }],
  [
    "digests",
    "sums that do not make up the position",
    { own: { ...GOOD.own, digest: "f".repeat(32) } },
  ],
  [
    "digests",
    "another digest than the owner's",
    { owner: { region: "eu", digest: "0", count: 3 } },
  ],
  [
    "contents",
    "a record that is not what was written",
    { findings: [{ kind: "altered", id: "x", range }] },
  ],
  ["recall", "an approximate search that misses", { recall: { value: 0.9, of: 20, least: 0.95 } }],
  [
    "golden-overlap",
    "other results than the owner's",
    { overlap: { value: 0.5, of: 20, least: 0.9 } },
  ],
  [
    "golden",
    "golden questions without their documents",
    { golden: { value: 0, of: 20, least: 0.9 } },
  ],
  ["canaries", "a leak", { canaries: [{ ...canary, seenByOwn: true, seenByOther: true }] }],
  [
    "canaries",
    "a tenant that finds nothing",
    { canaries: [{ ...canary, seenByOwn: false, seenByOther: false }] },
  ],
  [
    "settings",
    "another graph than the owner's",
    { facts: { ...FACTS, settings: { hnsw: "m=2" } } },
  ],
  [
    "settings",
    "a policy that only the owner has",
    { ownerFacts: { ...FACTS, settings: { ...FACTS.settings, policy: "on" } } },
  ],
  [
    "engine",
    "a role that ignores policies",
    { facts: { ...FACTS, faults: ["the role is a superuser"] } },
  ],
];

describe("the acceptance gate", () => {
  it("lets a copy pass that is the owner's in every way", () => {
    const { pass, checks } = judgeAcceptance(GOOD);
    assert.ok(pass);
    assert.equal(checks.length, 9);
    assert.equal(refusalOf({ pass, checks }), "");
  });

  for (const [name, what, but] of REFUSED) {
    it(`refuses ${what}`, () => {
      const acceptance = judgeAcceptance({ ...GOOD, ...but });
      assert.equal(acceptance.pass, false);
      const failed = acceptance.checks.filter(({ pass }) => !pass);
      assert.equal(failed[0]?.name, name);
      assert.ok(refusalOf(acceptance).startsWith(`${name}: `));
    });
  }

  it("asks nothing of an owner that is away, or of a copy without questions", () => {
    const alone = { owner: null, ownerFacts: null, recall: null, overlap: null, golden: null };
    assert.ok(judgeAcceptance({ ...GOOD, ...alone, canaries: [] }).pass);
  });

  it("compares settings with a copy of the same engine only", () => {
    const other = { ...FACTS, engine: "sqlite", settings: {} };
    assert.ok(judgeAcceptance({ ...GOOD, ownerFacts: other }).pass);
  });
});
