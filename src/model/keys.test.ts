import assert from "node:assert/strict";
import { test } from "node:test";
import { KEYS } from "./keys.ts";

/** Every kind of key with an example, beside the prefix that lists its kind. */
const LISTED = {
  report: [KEYS.reports, KEYS.report("agent:eu-west")],
  readiness: [KEYS.readinesses, KEYS.readiness("eu-west", "rag")],
  intent: [KEYS.intents, KEYS.intent("rag")],
  ownership: [KEYS.ownerships, KEYS.ownership("handbook")],
  plan: [KEYS.plans, KEYS.plan("p1")],
  planState: [KEYS.planStates, KEYS.planState("p1")],
  decision: [KEYS.decisions, KEYS.decision("rag")],
  request: [KEYS.requests, KEYS.request("r1")],
  indexHold: [KEYS.indexHolds, KEYS.indexHold("handbook")],
  indexRequest: [KEYS.indexRequests, KEYS.indexRequest("r1")],
  release: [KEYS.releases, KEYS.release(`sha256:${"1".repeat(64)}`)],
  releaseRequest: [KEYS.releaseRequests, KEYS.releaseRequest("r1")],
  evidence: [KEYS.evidences, KEYS.evidence(1)],
} as const;

test("a listing finds the keys of its kind, and none of another", () => {
  const singles = [KEYS.leader, KEYS.term, KEYS.snapshot, KEYS.evidenceHead, KEYS.releaseIntent];
  const all = [...Object.values(LISTED).map(([, key]) => key), ...singles];
  for (const [prefix, key] of Object.values(LISTED))
    assert.deepEqual(
      all.filter((one) => one.startsWith(prefix)),
      [key],
    );
});

test("no two kinds share a key", () => {
  const keys = Object.values(LISTED).map(([, key]) => key);
  assert.equal(new Set(keys).size, keys.length);
});

test("the record's keys sort as its numbers do, which is how a store lists them", () => {
  const numbers = [1, 2, 9, 10, 99, 100, 1_000_000];
  const keys = numbers.map(KEYS.evidence);
  assert.deepEqual(keys.toSorted(), keys);
});
