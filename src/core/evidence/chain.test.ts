import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Evidence, evidenceSchema } from "../../model/evidence.ts";
import { type ChainHead, chainEntry, type EvidenceFacts, GENESIS, verifyChain } from "./chain.ts";

function facts(over: Partial<EvidenceFacts> = {}): EvidenceFacts {
  return {
    at: 1_000,
    kind: "decision",
    workflow: "support",
    planId: null,
    text: "eu-west serves and is healthy",
    data: { epoch: 7 },
    ...over,
  };
}

function chainOf(all: readonly EvidenceFacts[]): Evidence[] {
  const chain: Evidence[] = [];
  for (const one of all) chain.push(chainEntry(chain.at(-1) ?? null, one));
  return chain;
}

function headOf(chain: readonly Evidence[]): ChainHead {
  const last = chain.at(-1);
  return { seq: last?.seq ?? 0, hash: last?.hash ?? GENESIS };
}

const anyFacts: fc.Arbitrary<EvidenceFacts> = fc.record({
  at: fc.integer({ min: 0 }),
  kind: fc.constantFrom("verdict", "decision", "plan", "step"),
  workflow: fc.option(fc.string()),
  planId: fc.option(fc.string()),
  text: fc.string(),
  data: fc.dictionary(fc.string(), fc.jsonValue()),
}) as fc.Arbitrary<EvidenceFacts>;
const anyChain = fc.array(anyFacts, { minLength: 1, maxLength: 8 }).map(chainOf);

test("the first entry is number 1 and follows 64 zeros; each other follows the one before", () => {
  const [first, second] = chainOf([facts(), facts()]);
  assert.equal(GENESIS, "0".repeat(64));
  assert.deepEqual([first?.seq, first?.previous], [1, GENESIS]);
  assert.deepEqual([second?.seq, second?.previous], [2, first?.hash]);
  assert.match(first?.hash ?? "", /^[0-9a-f]{64}$/);
  assert.deepEqual(evidenceSchema.parse(second), second);
});

test("a chain verifies, also after it was stored as JSON and read back", () => {
  fc.assert(
    fc.property(anyChain, (chain) => {
      assert.deepEqual(verifyChain(chain, headOf(chain)), { ok: true });
      const stored: Evidence[] = JSON.parse(JSON.stringify(chain));
      assert.deepEqual(verifyChain(stored, headOf(chain)), { ok: true });
    }),
  );
});

test("data that a store would not give back is dropped before it is hashed", () => {
  const entry = chainEntry(null, facts({ data: { known: 1, unknown: undefined } }));
  assert.deepEqual(entry.data, { known: 1 });
  assert.throws(() => chainEntry(null, facts({ data: { rate: Number.NaN } })), TypeError);
});

test("any member of any entry that was changed is found, at that entry", () => {
  const tamperings: readonly ((entry: Evidence) => Evidence)[] = [
    (entry) => ({ ...entry, at: entry.at + 1 }),
    (entry) => ({ ...entry, kind: "estate" }),
    (entry) => ({ ...entry, workflow: `${entry.workflow}x` }),
    (entry) => ({ ...entry, planId: `${entry.planId}x` }),
    (entry) => ({ ...entry, text: `${entry.text}.` }),
    (entry) => ({ ...entry, data: { ...entry.data, "slipped in": true } }),
    (entry) => ({ ...entry, seq: entry.seq + 1 }),
    (entry) => ({ ...entry, previous: "f".repeat(64) }),
    (entry) => ({ ...entry, hash: "f".repeat(64) }),
    (entry) => Object.assign({ ...entry }, { extra: "slipped in" }),
  ];
  fc.assert(
    fc.property(anyChain, fc.nat(), fc.constantFrom(...tamperings), (chain, drawn, tamper) => {
      const at = drawn % chain.length;
      const tampered = chain.map((entry, index) => (index === at ? tamper(entry) : entry));
      const judged = verifyChain(tampered, headOf(chain));
      assert.equal(judged.ok, false);
      assert.equal(!judged.ok && judged.seq, at + 1);
    }),
  );
});

test("an entry that was changed and hashed anew breaks the link that follows, or the head", () => {
  fc.assert(
    fc.property(anyChain, fc.nat(), (chain, drawn) => {
      const at = drawn % chain.length;
      const forge = (entry: Evidence): Evidence =>
        chainEntry(chain[at - 1] ?? null, { ...entry, text: `${entry.text}!` });
      const forged = chain.map((entry, index) => (index === at ? forge(entry) : entry));
      const judged = verifyChain(forged, headOf(chain));
      assert.equal(!judged.ok && judged.seq, Math.min(at + 2, chain.length));
    }),
  );
});

test("a chain that was written anew to its end is found with the head", () => {
  const chain = chainOf([facts(), facts(), facts()]);
  const anew = chainOf([facts(), facts({ text: "nothing happened" }), facts()]);
  assert.deepEqual(verifyChain(anew), { ok: true });
  assert.equal(verifyChain(anew, headOf(chain)).ok, false);
});

test("an entry that was dropped, doubled or swapped with its neighbour is found", () => {
  const long = fc.array(anyFacts, { minLength: 2, maxLength: 8 }).map(chainOf);
  fc.assert(
    fc.property(long, fc.nat(), (chain, drawn) => {
      const at = drawn % chain.length;
      const next = (at + 1) % chain.length;
      const dropped = chain.filter((_, index) => index !== at);
      const doubled = chain.flatMap((entry, index) => (index === at ? [entry, entry] : [entry]));
      const swapped = chain.with(at, chain[next] as Evidence).with(next, chain[at] as Evidence);
      for (const tampered of [dropped, doubled, swapped]) {
        assert.equal(verifyChain(tampered, headOf(chain)).ok, false);
      }
    }),
  );
});

test("a cut tail is found with the head, and with the head only", () => {
  const chain = chainOf([facts(), facts(), facts()]);
  const cut = chain.slice(0, 2);
  assert.deepEqual(verifyChain(cut), { ok: true });
  assert.deepEqual(verifyChain(cut, headOf(chain)), {
    ok: false,
    seq: 3,
    because: "the record has 2 entries and its head 3",
  });
});

test("a record that was lost altogether is found with the head", () => {
  assert.equal(verifyChain([], headOf(chainOf([facts()]))).ok, false);
  assert.deepEqual(verifyChain([]), { ok: true });
});

test("what is wrong is said with its number", () => {
  const chain = chainOf([facts(), facts(), facts()]);
  const [one, two, three] = chain;
  assert.ok(one && two && three);
  assert.deepEqual(verifyChain([one, three]), {
    ok: false,
    seq: 2,
    because: "entry 2 is missing or out of place: entry 3 stands there",
  });
  assert.deepEqual(verifyChain([one, { ...two, text: "nothing happened" }, three]), {
    ok: false,
    seq: 2,
    because: "entry 2 was changed after it was written",
  });
});
