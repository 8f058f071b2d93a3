import assert from "node:assert/strict";
import { test } from "node:test";
import type { Evidence } from "../../model/evidence.ts";
import { chainEntry } from "./chain.ts";
import { splitRecovery } from "./recovery.ts";
import { CHAIN_CHECK, type ReportFacts, reportContent, verdictOf } from "./report.ts";

function entry(previous: Evidence | null, at: number, text: string): Evidence {
  const kind = "verdict" as const;
  return chainEntry(previous, { at, kind, workflow: null, planId: null, text, data: {} });
}

const OLDER = entry(null, 5_000, "the estate begins");
const FAILED = entry(OLDER, 14_000, "eu-west failed");
const EVIDENCE = [OLDER, FAILED];
const GOOD = { name: "answers go on", pass: true, evidence: "0 of 412 requests failed" };

function facts(over: Partial<ReportFacts> = {}): ReportFacts {
  return {
    title: "Region outage of eu-west",
    estate: "cranfield",
    startedAt: 9_000,
    rtoMs: 30_000,
    rpoMs: 5_000,
    rpaMs: 250,
    split: splitRecovery({
      faultAt: 10_000,
      verdictAt: 14_500,
      planAt: 14_600,
      provenAt: 15_400,
      openedAt: 15_500,
      trafficProvenAt: 16_200,
    }),
    requests: { sent: 412, succeeded: 411, failed: 0, cut: 1 },
    failback: { completed: true, to: "eu-west", tookSeconds: 1.5, because: "asked by the drill" },
    checks: [GOOD],
    notes: [
      { at: 10_000, lane: "eu-west", text: "kill -9 of every process", kind: "fault" },
      { at: 8_000, lane: "users", text: "traffic begins", kind: "note" },
    ],
    release: "sha256:abc",
    epochs: [{ workflow: "support", before: 7, after: 9 }],
    evidence: EVIDENCE,
    ...over,
  };
}

test("times are in seconds, and the actual is the split's total", () => {
  const report = reportContent(facts());
  assert.deepEqual(report.objective, { rtoSeconds: 30, rpoSeconds: 5 });
  assert.deepEqual(report.actual, { rtaSeconds: 6.2, rpaSeconds: 0.25 });
  assert.deepEqual(report.split, {
    detectSeconds: 4.5,
    decideSeconds: 0.1,
    verifySeconds: 0.8,
    openSeconds: 0.1,
    propagateSeconds: 0.7,
    totalSeconds: 6.2,
  });
});

test("the timeline is notes and this run's evidence, in the order of their time", () => {
  assert.deepEqual(
    reportContent(facts()).timeline.map(({ offsetSeconds, lane, text }) => [
      offsetSeconds,
      lane,
      text,
    ]),
    [
      [-1, "users", "traffic begins"],
      [1, "eu-west", "kill -9 of every process"],
      [5, "controller", "eu-west failed"],
    ],
  );
});

test("an intact record is a check that passes, with its head", () => {
  const report = reportContent(facts());
  assert.deepEqual(report.evidenceChain, { entries: 2, head: FAILED.hash, intact: true });
  assert.deepEqual(report.checks, [
    GOOD,
    { name: CHAIN_CHECK, pass: true, evidence: "All 2 entries verify." },
  ]);
  assert.equal(report.verdict, "pass");
});

test("a record that was altered, or is empty, fails the report whatever else passed", () => {
  const altered = [OLDER, { ...FAILED, text: "nothing happened" }];
  for (const evidence of [altered, []]) {
    const report = reportContent(facts({ evidence }));
    assert.equal(report.evidenceChain.intact, false);
    assert.equal(report.verdict, "fail");
  }
  const [, check] = reportContent(facts({ evidence: altered })).checks;
  assert.equal(check?.evidence, "At entry 2: entry 2 was changed after it was written.");
});

test("a report without a check of its own proves nothing", () => {
  assert.equal(reportContent(facts({ checks: [] })).verdict, "fail");
});

test("pass only when there is a check and every one passed", () => {
  const bad = { ...GOOD, pass: false };
  const table: [checks: { pass: boolean }[], verdict: string][] = [
    [[], "fail"],
    [[GOOD], "pass"],
    [[GOOD, GOOD], "pass"],
    [[bad], "fail"],
    [[GOOD, bad], "fail"],
  ];
  for (const [checks, verdict] of table) assert.equal(verdictOf(checks), verdict);
});

test("the report is plain JSON", () => {
  const report = reportContent(facts());
  assert.deepEqual(JSON.parse(JSON.stringify(report)), report);
});
