import assert from "node:assert/strict";
import { test } from "node:test";
import type { RegionReport } from "../../model/signal.ts";
import { createReportLog } from "./reports.ts";

test("the first report that is ever seen of an observer is no witness: it may be a week old", () => {
  const log = createReportLog(10_000);
  log.take([report(7, 700)], 100);
  log.take([report(7, 700)], 350);
  assert.deepEqual(log.received(350), []);
});

test("a report that replaces another is dated by when it was first seen", () => {
  const log = createReportLog(10_000);
  log.take([report(7, 700)], 100);
  log.take([report(8, 950)], 350);
  log.take([report(8, 950)], 600);
  assert.deepEqual(
    log.received(600).map(({ report, receivedAt }) => [report.seq, receivedAt]),
    [[8, 350]],
  );
});

test("reports beyond the horizon are forgotten, but the newest stays known for facts", () => {
  const log = createReportLog(1_000);
  log.take([report(1, 100)], 0);
  log.take([report(2, 200)], 100);
  assert.deepEqual(log.received(5_000), []);
  assert.equal(log.newest().get("eu-west")?.report.seq, 2);
});

test("an observer that began anew takes its old process's reports with it", () => {
  const log = createReportLog(10_000);
  log.take([report(90, 9_000)], 0);
  log.take([report(91, 9_250)], 250);
  log.take([report(1, 10)], 500);
  log.take([report(2, 260)], 750);
  assert.deepEqual(
    log.received(750).map(({ report }) => report.seq),
    [1, 2],
  );
});

function report(seq: number, monotonicNow: number): RegionReport {
  return {
    region: "eu-west",
    observer: "agent:eu-west",
    seq,
    monotonicNow,
    signals: [],
    indexes: [],
    gateway: null,
  };
}
