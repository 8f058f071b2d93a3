import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Outcomes } from "./targets/memory.ts";
import { lowestNumber, mergedOutcomes, type Part, type Seat } from "./together.ts";

describe("a gateway of several threads, as one", () => {
  const part = (number: number): Part => {
    return {
      number,
      sinceMs: 0,
      indexes: [],
      outcomes: [],
      damaged: [],
      auditFailures: { total: 0, newestFailed: false },
    };
  };
  const seat = (state: Seat["state"], snapshot: number): Seat => {
    return { worker: 1, state, snapshot, restarts: 0 };
  };
  const table: readonly (readonly [string, Part[], Seat[], number])[] = [
    ["that of its one thread", [part(7)], [], 7],
    ["the lowest of all", [part(7), part(6)], [seat("up", 7), seat("up", 6)], 6],
    ["that of one which does not answer", [part(7)], [seat("up", 7), seat("silent", 5)], 5],
    ["not that of one which serves nobody yet", [part(7)], [seat("up", 7), seat("starting", 5)], 7],
    ["none when nobody serves", [], [seat("starting", 5)], 0],
  ];
  for (const [name, parts, seats, expected] of table) {
    it(`acknowledges ${name}`, () => assert.equal(lowestNumber({ parts, seats }), expected));
  }

  it("adds up what can be added, and tells the worst of the rest", () => {
    const one: Outcomes = {
      ...{ name: "handbook", succeeded: 5, failed: 1, failedInARow: 0, ejectedForMs: 0 },
      lastFailure: null,
    };
    const other: Outcomes = { ...one, failedInARow: 2, ejectedForMs: 400, lastFailure: "damaged" };
    assert.deepEqual(mergedOutcomes([[one], [other], []]), [
      { ...other, succeeded: 10, failed: 2, lastFailure: "damaged" },
    ]);
  });
});
