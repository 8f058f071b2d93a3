import assert from "node:assert/strict";
import { test } from "node:test";
import type { OutcomeWindow } from "../../model/outcomes.ts";
import type { RegionReport } from "../../model/signal.ts";
import { outcomesOf } from "./outcomes.ts";

const WINDOW: OutcomeWindow = {
  workflow: "support",
  region: "eu-west",
  release: "sha256:one",
  fromMsAgo: 9_000,
  toMsAgo: 10,
  requests: 20,
  errors: 1,
  refusals: 0,
  latency: { "35": 19 },
  recent: { requests: 4, errors: 1, latency: { "35": 3 } },
  length: {},
  cost: {},
};
const SCORES = [{ release: "sha256:one", right: ["a"], wrong: [], unanswered: [] }];

function received(receivedAt: number, over: Partial<RegionReport> = {}) {
  const report: RegionReport = {
    region: "eu-west",
    observer: "agent:eu-west",
    seq: 1,
    monotonicNow: 0,
    signals: [],
    indexes: [],
    golden: [{ workflow: "support", scores: SCORES }],
    gateway: { number: 1, sinceMs: 0, lastError: null, outcomes: [WINDOW] },
    ...over,
  };
  return { report, receivedAt };
}
const read = (...reports: ReturnType<typeof received>[]) =>
  outcomesOf(reports, { now: 100_000, horizonMs: 5_000 });

test("a report's windows and golden answers are read, each with its region", () => {
  assert.deepEqual(read(received(99_000)), {
    windows: [WINDOW],
    golden: [{ region: "eu-west", workflow: "support", scores: SCORES }],
  });
});

test("of a report that is not fresh the counts stay true, and nothing in it is recent", () => {
  const [window] = read(received(90_000)).windows;
  assert.deepEqual(window?.recent, { requests: 0, errors: 0, latency: {} });
  assert.equal(window?.requests, 20);
});

test("an agent of before this, or one whose gateway is gone, says nothing, and that is allowed", () => {
  const { golden: _golden, ...older } = received(99_000).report;
  const gone = { report: { ...older, gateway: null }, receivedAt: 99_000 };
  assert.deepEqual(outcomesOf([gone], { now: 100_000, horizonMs: 5_000 }), {
    windows: [],
    golden: [],
  });
});
