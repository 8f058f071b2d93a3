import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { handClock } from "../../../test/support/gateway-world.ts";
import type { FirstMeasure } from "./entry.ts";
import { Health } from "./health.ts";

const GROUP = ["a", "b"];

/** Two targets, asked in turn as the gateway would, 20 requests a second. */
function started(group: readonly string[] = GROUP, random = 0) {
  const clock = handClock();
  const health = new Health(clock, () => random);
  const takes = new Map<string, number>();
  const asked: string[] = [];
  const once = (measure: FirstMeasure): void => {
    const { names, distrusted } = health.order(group, 0.5);
    for (const name of names) {
      const claim = health.claim(name, distrusted);
      if (claim === null) continue;
      asked.push(name);
      health.answered(claim, measure, takes.get(name) ?? 100);
      health.succeeded(name);
      health.settled(claim);
      return;
    }
  };
  const pass = (seconds: number, measure: FirstMeasure = "wholeAnswer"): void => {
    for (let i = 0; i < seconds * 20; i++) {
      clock.forward(50);
      once(measure);
    }
  };
  const shown = (name: string) =>
    health.outcomes().find((one) => one.name === name) ?? assert.fail(`no ${name}`);
  /** What share of the newest `count` requests was for it. */
  const share = (name: string, count: number): number =>
    asked.slice(-count).filter((one) => one === name).length / count;
  return { clock, health, takes, asked, pass, shown, share };
}

describe("a target that becomes slower than it was", () => {
  it("is asked last from the second second on, and is still asked when the other fails", () => {
    const { health, takes, pass, shown, share } = started();
    pass(20);
    takes.set("a", 1_000);
    pass(3);
    assert.equal(shown("a").standing, "slow");
    assert.match(
      shown("a").ejectedBecause ?? "",
      /takes 1000 ms for an answer where 10\d ms are usual/,
    );
    assert.deepEqual(health.order(GROUP, 0.5), { names: ["b", "a"], distrusted: false });
    assert.equal(share("b", 20), 1);
    for (let i = 0; i < 3; i++) health.failed({ name: "b", trial: false }, "status 500");
    assert.deepEqual(health.order(GROUP, 0.5).names, ["a"]);
    assert.deepEqual(health.claim("a", false), { name: "a", trial: false });
  });

  it("is known though peers never were asked, and though none of its answers is there yet", () => {
    const { clock, health, pass, shown } = started();
    pass(20);
    assert.equal(health.lateFromMs("a", "wholeAnswer"), 600);
    for (let i = 0; i < 30; i++) {
      clock.forward(50);
      health.order(GROUP, 0.5);
      health.late("a", "wholeAnswer", 650);
    }
    assert.equal(shown("a").standing, "slow");
  });

  it("is tried by single requests, ever more rarely, and not by a storm of them", () => {
    const { takes, pass, asked } = started();
    pass(20);
    takes.set("a", 1_000);
    pass(3);
    const before = asked.length;
    pass(120);
    const tries = asked.slice(before).filter((name) => name === "a").length;
    assert.ok(tries >= 3 && tries <= 8, `${tries} tries in two minutes`);
  });

  it("comes back by one request once it is well, and its standing is clean after a while", () => {
    const { takes, pass, shown, share } = started();
    pass(20);
    takes.set("a", 1_000);
    pass(3);
    takes.set("a", 110);
    pass(8);
    assert.equal(share("a", 20), 1);
    assert.deepEqual(
      [shown("a").standing, shown("a").ejections, shown("a").troubledForMs],
      ["in", 0, null],
    );
  });

  it("is not left for another that is as slow by nature", () => {
    const { clock, health, takes, pass, shown } = started();
    for (let i = 0; i < 40; i++) {
      clock.forward(50);
      health.answered({ name: "b", trial: false }, "wholeAnswer", 900);
    }
    pass(20);
    takes.set("a", 1_000);
    pass(5);
    assert.equal(shown("a").standing, "in");
    assert.match(shown("a").slow ?? "", /takes 1000 ms/);
    assert.ok(shown("a").troubledForMs !== null, "it is shown all the same");
  });

  it("stays in use where the load slows all, after at most one look at the other", () => {
    const { takes, pass, shown, share, asked } = started();
    pass(20);
    takes.set("a", 1_000).set("b", 1_000);
    pass(6);
    const before = asked.length;
    pass(60);
    const moves = asked.slice(before).filter((name, at, all) => at > 0 && name !== all[at - 1]);
    assert.ok(moves.length <= 2, `it went to and fro ${moves.length} times`);
    assert.ok(share("a", 200) > 0.9);
    assert.equal(shown("a").standing, "in");
  });

  it("is shown, and asked on, where there is no other", () => {
    const { takes, pass, shown } = started(["a"]);
    pass(20);
    takes.set("a", 1_000);
    pass(3);
    assert.equal(shown("a").standing, "in");
    assert.match(shown("a").slow ?? "", /1000 ms for an answer where 10\d ms/);
    takes.set("a", 100);
    pass(3);
    assert.deepEqual([shown("a").slow, shown("a").troubledForMs], [null, null]);
  });

  it("is left out when it fails, too", () => {
    const { health, takes, pass, shown } = started();
    pass(20);
    takes.set("a", 1_000);
    pass(3);
    for (let i = 0; i < 3; i++) health.failed({ name: "a", trial: false }, "status 500");
    assert.equal(shown("a").standing, "out");
    assert.deepEqual(health.order(GROUP, 0.5).names, ["b"]);
  });

  it("is known by the pace of its streams, whose first words come in time", () => {
    const { clock, health, shown } = started();
    const stream = (paceMs: number, seconds: number): void => {
      for (let i = 0; i < seconds * 20; i++) {
        clock.forward(50);
        const { names } = health.order(GROUP, 0.5);
        const claim = health.claim(names[0] ?? "", false) ?? assert.fail();
        health.answered(claim, "firstToken", 20);
        health.paced(claim, claim.name === "a" ? paceMs : 50);
        health.settled(claim);
        health.succeeded(claim.name);
      }
    };
    stream(50, 20);
    stream(500, 3);
    assert.match(shown("a").ejectedBecause ?? "", /500 ms from word to word where 5\d ms/);
    assert.equal(shown("a").standing, "slow");
    // Its trials' first words come in time as well, and do not let it back.
    stream(500, 20);
    assert.ok(["slow", "trial"].includes(shown("a").standing), shown("a").standing);
    assert.ok(shown("a").ejections >= 3);
  });

  it("is not found in a single burst, however slow, nor in a few requests", () => {
    const { clock, health, pass, shown } = started();
    pass(20);
    const burst = (name: string, times: number): void => {
      for (let i = 0; i < times; i++) health.answered({ name, trial: false }, "wholeAnswer", 9_000);
    };
    clock.forward(10);
    burst("a", 15);
    pass(3);
    assert.equal(shown("a").standing, "in");
    assert.equal(shown("a").slow, null);
  });

  it("never is found among times that stay within twice their middle, and never flaps there", () => {
    const times = fc.array(fc.integer({ min: 500, max: 1_000 }), {
      minLength: 400,
      maxLength: 400,
    });
    fc.assert(
      fc.property(times, (took) => {
        const { clock, health, shown } = started();
        for (const ms of took) {
          clock.forward(50);
          health.order(GROUP, 0.5);
          health.answered({ name: "a", trial: false }, "wholeAnswer", ms);
          health.succeeded("a");
        }
        assert.deepEqual([shown("a").standing, shown("a").slow], ["in", null]);
      }),
      { numRuns: 30 },
    );
  });

  it("is found whatever it took before, if it now takes ten times that and a second more", () => {
    fc.assert(
      fc.property(fc.integer({ min: 120, max: 5_000 }), (normal) => {
        const { takes, pass, shown } = started();
        takes.set("a", normal).set("b", normal);
        pass(10);
        takes.set("a", normal * 10);
        pass(3);
        assert.equal(shown("a").standing, "slow");
      }),
      { numRuns: 30 },
    );
  });
});
