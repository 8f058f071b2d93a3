import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { handClock } from "../../test/support/gateway-world.ts";
import { LocalLimits } from "./limits.ts";

describe("a rate limit", () => {
  it("lets a burst of a minute's requests through, and then one as each is refilled", () => {
    const clock = handClock();
    const limits = new LocalLimits(clock);
    const take = () => limits.take("acme/chat", 50, 1);
    for (let left = 49; left >= 0; left--) assert.equal(take().remaining, left);
    assert.deepEqual([take().ok, take().nextMs], [false, 1_200]);
    clock.forward(1_199);
    assert.equal(take().ok, false);
    clock.forward(1);
    assert.equal(take().ok, true);
    assert.equal(take().ok, false);
  });

  it("is exact for large limits, and on a machine that is up for a year", () => {
    const clock = handClock();
    clock.forward(365 * 86_400_000 + 1 / 3);
    const limits = new LocalLimits(clock);
    for (const perMinute of [1, 7, 601, 30_011, 60_000]) {
      const take = () => limits.take(`limit ${perMinute}`, perMinute, 1);
      for (let left = perMinute - 1; left >= 0; left--) assert.equal(take().remaining, left);
      assert.equal(take().ok, false);
    }
  });

  it("keeps names apart", () => {
    const limits = new LocalLimits(handClock());
    assert.equal(limits.take("a", 1, 1).ok, true);
    assert.equal(limits.take("a", 1, 1).ok, false);
    assert.equal(limits.take("b", 1, 1).ok, true);
  });

  it("takes nothing from who was admitted before, and never refuses it", () => {
    const limits = new LocalLimits(handClock());
    limits.take("a", 1, 1);
    assert.deepEqual(
      [limits.take("a", 1, 0).ok, limits.take("a", 1, 0).remaining, limits.take("a", 1, 1).ok],
      [true, 0, false],
    );
  });

  it("leaves a bucket as full as it was when a release changes the limit", () => {
    const limits = new LocalLimits(handClock());
    for (let n = 0; n < 300; n++) limits.take("a", 600, 1);
    assert.equal(limits.take("a", 6, 0).remaining, 3);
    for (let n = 0; n < 3; n++) assert.equal(limits.take("a", 6, 1).ok, true);
    assert.equal(limits.take("a", 6, 1).ok, false);
  });

  it("admits in any time at most a burst and what was refilled, and not one fewer", () => {
    const waits = fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(waits, fc.integer({ min: 1, max: 200 }), (pauses, perMinute) => {
        const clock = handClock();
        const limits = new LocalLimits(clock);
        // The same, with tokens and the time that they were counted at.
        let [tokens, refused] = [perMinute, 0];
        for (const pause of pauses) {
          clock.forward(pause);
          tokens = Math.min(perMinute, tokens + (pause * perMinute) / 60_000);
          const { ok, remaining } = limits.take("a", perMinute, 1);
          // Within rounding of a whole request either answer is right; ours may only be the kinder.
          if (ok) tokens -= 1;
          else refused += 1;
          assert.ok(tokens > -1e-3 && (ok || tokens < 1), `${tokens} after ${refused} refusals`);
          assert.ok(Math.abs(remaining - tokens) <= 1.001);
        }
      }),
    );
  });
});
