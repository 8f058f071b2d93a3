import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type RecoveryMarks, recoveryPointMs, splitRecovery } from "./recovery.ts";

const MARKS: RecoveryMarks = {
  faultAt: 10_000,
  verdictAt: 14_500,
  planAt: 14_600,
  provenAt: 15_400,
  openedAt: 15_500,
  trafficProvenAt: 16_200,
};

test("where the time of a recovery went", () => {
  assert.deepEqual(splitRecovery(MARKS), {
    detectMs: 4_500,
    decideMs: 100,
    verifyMs: 800,
    openMs: 100,
    propagateMs: 700,
    totalMs: 6_200,
  });
});

test("a mark before the one that it followed takes no time, and its neighbour the right one", () => {
  const split = splitRecovery({ ...MARKS, planAt: 14_400 });
  assert.deepEqual([split.decideMs, split.verifyMs, split.totalMs], [0, 900, 6_200]);
});

test("a recovery that was proven before its fault took no time", () => {
  assert.equal(splitRecovery({ ...MARKS, trafficProvenAt: 9_000 }).totalMs, 0);
});

test("for any marks, no phase is negative and the five sum to the total", () => {
  const mark = fc.double({ min: -1e12, max: 1e12, noNaN: true });
  const marks = fc.record({
    faultAt: mark,
    verdictAt: mark,
    planAt: mark,
    provenAt: mark,
    openedAt: mark,
    trafficProvenAt: mark,
  });
  fc.assert(
    fc.property(marks, (drawn) => {
      const { totalMs, ...phases } = splitRecovery(drawn);
      const each = Object.values(phases);
      assert.ok(each.every((phase) => phase >= 0));
      assert.equal(
        each.reduce((sum, phase) => sum + phase, 0),
        totalMs,
      );
      assert.equal(
        totalMs,
        Math.max(0, Math.round(drawn.trafficProvenAt) - Math.round(drawn.faultAt)),
      );
    }),
  );
});

test("what was lost is the source time between the last accepted and the last kept change", () => {
  assert.equal(recoveryPointMs({ acceptedUpTo: 5_300, keptUpTo: 5_000 }), 300);
  assert.equal(recoveryPointMs({ acceptedUpTo: 5_000, keptUpTo: 5_000 }), 0);
  assert.equal(recoveryPointMs({ acceptedUpTo: 5_000, keptUpTo: 5_300 }), 0);
});
