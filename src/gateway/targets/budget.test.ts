import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { handClock } from "../../../test/support/gateway-world.ts";
import { mayRetry, RetryBudget } from "./budget.ts";

describe("the gateway's retries", () => {
  it("are a share of its requests and a small floor", () => {
    assert.equal(mayRetry({ requests: 0, retries: 99 }, 0.2), true);
    assert.equal(mayRetry({ requests: 0, retries: 100 }, 0.2), false);
    assert.equal(mayRetry({ requests: 1_000, retries: 299 }, 0.2), true);
    assert.equal(mayRetry({ requests: 1_000, retries: 300 }, 0.2), false);
  });

  it("never exceed the share and the floor within ten seconds, however they come", () => {
    const step = fc.record({ requests: fc.nat(300), retries: fc.nat(300), ms: fc.nat(2_000) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const clock = handClock();
        const budget = new RetryBudget(clock);
        for (const { requests, retries, ms } of steps) {
          for (let i = 0; i < requests; i++) budget.earned();
          for (let i = 0; i < retries; i++) {
            const before = budget.traffic();
            assert.equal(budget.take(0.2), before.retries < before.requests * 0.2 + 100);
          }
          clock.forward(ms);
        }
      }),
    );
  });

  it("are earned anew when the old ones are ten seconds old", () => {
    const clock = handClock();
    const budget = new RetryBudget(clock);
    for (let i = 0; i < 100; i++) assert.equal(budget.take(0.2), true);
    assert.equal(budget.take(0.2), false);
    clock.forward(9_000);
    assert.equal(budget.take(0.2), false);
    clock.forward(2_000);
    assert.equal(budget.take(0.2), true);
  });
});
