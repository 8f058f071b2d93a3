import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { afterFailure, type Failed, type FaultKind } from "./fault.ts";
import { retryAfterMs } from "./retry-after.ts";

const GO_ON = { again: false };

function failed(kind: FaultKind, toldMs: number | null, change: Partial<Failed> = {}): Failed {
  return {
    fault: { kind, because: "x", retryAfterMs: toldMs },
    triedAgain: false,
    lasting: false,
    others: true,
    leftMs: 60_000,
    random: 0,
    ...change,
  };
}

describe("whether the same target is asked again", () => {
  const table: readonly (readonly [string, Failed, number | null])[] = [
    ["a reset: once, after a pause", failed("reset", null), 50],
    ["the pause differs between requests", failed("reset", null, { random: 0.5 }), 75],
    ["a 500: once", failed("error", null), 50],
    ["never a second time", failed("error", null, { triedAgain: true }), null],
    ["not when it has failed others, too", failed("error", null, { lasting: true }), null],
    ["not when no time is left", failed("reset", null, { leftMs: 120 }), null],
    ["not one that cannot be reached", failed("unreached", null), null],
    ["not one that was silent: it may still be working", failed("silent", null), null],
    ["not one that denies us", failed("denied", null), null],
    ["not one that answers nonsense", failed("nonsense", null), null],
    ["429 without a time: moves", failed("busy", null), null],
    ["429 with a short time: waits for it", failed("busy", 300), 300],
    ["429 with a time longer than moving takes: moves", failed("busy", 2_000), null],
    ["the same, with nobody else: waits", failed("busy", 2_000, { others: false }), 2_000],
    ["an absurd time: never waits", failed("busy", 86_400_000, { others: false }), null],
    ["beyond the deadline: moves", failed("busy", 300, { leftMs: 350 }), null],
    ["503 with a time, although it failed others", failed("error", 100, { lasting: true }), 100],
  ];
  for (const [name, given, afterMs] of table) {
    it(name, () => {
      assert.deepEqual(afterFailure(given), afterMs === null ? GO_ON : { again: true, afterMs });
    });
  }
});

describe("when an upstream wants to be asked again", () => {
  const now = Date.UTC(2026, 0, 1);
  const table: readonly (readonly [string, Record<string, string>, number | null])[] = [
    ["nothing", {}, null],
    ["seconds", { "retry-after": "2" }, 2_000],
    ["milliseconds, which go before", { "retry-after-ms": "120", "retry-after": "1" }, 120],
    ["a date", { "retry-after": new Date(now + 3_000).toUTCString() }, 3_000],
    ["a date that is over", { "retry-after": new Date(now - 3_000).toUTCString() }, 0],
    ["a century", { "retry-after": "3153600000" }, 86_400_000],
    ["below zero", { "retry-after": "-5" }, null],
    ["no number and no date", { "retry-after": "soon" }, null],
    ["nothing in it", { "retry-after": "" }, null],
  ];
  for (const [name, headers, expected] of table) {
    it(name, () => assert.equal(retryAfterMs(headers, now), expected));
  }
});
