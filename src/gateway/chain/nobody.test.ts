import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { FaultKind } from "../targets/fault.ts";
import type { Attempt } from "./call.ts";
import { endingOf } from "./nobody.ts";

function failed(kind: FaultKind, retryAfterMs: number | null = null): Attempt {
  const fault = { kind, because: kind, retryAfterMs };
  return { target: kind, outcome: kind, tookMs: 1, reached: true, fault };
}

describe("how a request ends that nobody answered", () => {
  const table: readonly (readonly [string, Attempt[], number, number | null, boolean])[] = [
    ["nobody was there to ask", [], 503, 1_000, false],
    ["all failed", [failed("error"), failed("reset")], 503, 1_000, true],
    ["all were silent", [failed("silent"), failed("silent")], 504, 1_000, true],
    ["one was silent, one failed", [failed("silent"), failed("error")], 503, 1_000, true],
    ["all have no room, and say when", [failed("busy", 900), failed("busy", 400)], 429, 400, false],
    ["all have no room, and do not say", [failed("busy")], 429, 1_000, true],
    ["one says when", [failed("busy", 700), failed("error")], 503, 700, false],
    ["all deny us: waiting mends nothing", [failed("denied"), failed("denied")], 503, null, true],
    ["one denies us, one fails", [failed("denied"), failed("error")], 503, 1_000, true],
    ["a budget kept one unasked", [failed("error"), failed("unasked")], 503, 1_000, false],
  ];
  for (const [name, attempts, status, waitMs, triedAll] of table) {
    it(name, () => {
      const ending = endingOf(attempts);
      assert.deepEqual([ending.status, ending.waitMs, ending.triedAll], [status, waitMs, triedAll]);
    });
  }
});
