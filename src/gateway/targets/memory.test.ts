import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { handClock } from "../../../test/support/gateway-world.ts";
import { Memory } from "./memory.ts";

describe("the memory of indexes", () => {
  const options = { failures: 3, firstMs: 1_000, longestMs: 3_000 };
  const failTimes = (memory: Memory, name: string, times: number): void => {
    for (let i = 0; i < times; i++) memory.failed(name, "connection refused");
  };

  it("ejects after so many failures in a row, and only in a row", () => {
    const memory = new Memory(handClock(), options);
    failTimes(memory, "a", 2);
    memory.succeeded("a");
    failTimes(memory, "a", 2);
    assert.equal(memory.ejected("a"), false);
    memory.failed("a", "connection refused");
    assert.equal(memory.ejected("a"), true);
  });

  it("lets it back after the period, twice as long each time, up to a bound", () => {
    const clock = handClock();
    const memory = new Memory(clock, options);
    failTimes(memory, "a", 3);
    for (const period of [1_000, 2_000, 3_000, 3_000]) {
      assert.equal(memory.ejectedForMs("a"), period);
      clock.forward(period);
      assert.equal(memory.ejected("a"), false);
      memory.failed("a", "connection refused");
    }
    memory.succeeded("a");
    assert.equal(memory.ejected("a"), false);
    failTimes(memory, "a", 3);
    assert.equal(memory.ejectedForMs("a"), 1_000);
  });

  it("counts failures that come during an ejection without making it longer", () => {
    const memory = new Memory(handClock(), options);
    failTimes(memory, "a", 12);
    assert.deepEqual(memory.outcomes(), [
      {
        name: "a",
        succeeded: 0,
        failed: 12,
        failedInARow: 12,
        ejectedForMs: 1_000,
        lastFailure: "connection refused",
      },
    ]);
  });
});
