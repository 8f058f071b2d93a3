import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { handClock } from "../../../test/support/gateway-world.ts";
import type { Claim } from "./entry.ts";
import { Health } from "./health.ts";

const ATMOST = 0.5;

describe("the health of targets", () => {
  function started(random = 0) {
    const clock = handClock();
    const health = new Health(clock, () => random);
    const order = (...group: string[]) => health.order(group, ATMOST);
    const fail = (name: string, times = 1): void => {
      for (let i = 0; i < times; i++) health.failed({ name, trial: false }, "status 500");
    };
    const shown = (name: string) =>
      health.outcomes().find((one) => one.name === name) ?? assert.fail(`no ${name}`);
    return { clock, health, order, fail, shown };
  }

  /** One claim that must be had, and what came of it. */
  function trial(health: Health, name: string, went: "well" | "badly"): Claim {
    const claim = health.claim(name, false) ?? assert.fail("it may not be tried");
    if (went === "well") {
      health.answered(claim, "firstToken", 10);
      health.succeeded(name);
    } else health.failed(claim, "status 500");
    health.settled(claim);
    return claim;
  }

  it("leaves one out after three failures in a row, and only in a row", () => {
    const { health, order, fail } = started();
    fail("a", 2);
    health.succeeded("a");
    fail("a", 2);
    assert.deepEqual(order("a", "b").names, ["a", "b"]);
    fail("a");
    assert.deepEqual(order("a", "b").names, ["b"]);
  });

  it("knows the slowest of those that a target is asked beside, and not its own time for it", () => {
    const { health, order } = started();
    order("a", "b", "c");
    const answer = (name: string, ms: number): void => {
      for (let i = 0; i < 8; i++) health.answered({ name, trial: false }, "wholeAnswer", ms);
    };
    answer("a", 900);
    assert.equal(health.peersP95Ms("a", "wholeAnswer"), null, "nothing is known of the others");
    answer("b", 20);
    answer("c", 300);
    assert.equal(health.peersP95Ms("a", "wholeAnswer"), 300);
    assert.equal(health.peersP95Ms("b", "wholeAnswer"), 900);
    assert.equal(health.peersP95Ms("a", "firstToken"), null);
    assert.equal(health.peersP95Ms("stranger", "wholeAnswer"), null);
  });

  it("lets it back by one real request at a time", () => {
    const { clock, health, order, fail, shown } = started();
    order("a", "b");
    fail("a", 3);
    clock.forward(1_000);
    assert.equal(shown("a").standing, "trial");
    const first = health.claim("a", false);
    assert.deepEqual(first, { name: "a", trial: true });
    assert.equal(health.claim("a", false), null, "one is trying it already");
    assert.deepEqual(order("a", "b").names, ["b"]);
    health.answered({ name: "a", trial: true }, "firstToken", 10);
    health.settled({ name: "a", trial: true });
    assert.equal(shown("a").standing, "in");
    assert.deepEqual(order("a", "b").names, ["a", "b"]);
  });

  it("leaves it out for twice as long when its trial fails, whatever it went for", () => {
    const { clock, health, fail, shown } = started();
    fail("a", 3);
    for (const period of [1_000, 2_000, 4_000]) {
      assert.equal(shown("a").ejectedForMs, period);
      clock.forward(period);
      trial(health, "a", "badly");
    }
    clock.forward(8_000);
    trial(health, "a", "well");
    assert.deepEqual([shown("a").standing, shown("a").ejections], ["in", 0]);
  });

  it("ends a trial whose caller went, so that another may try", () => {
    const { clock, health, fail } = started();
    fail("a", 3);
    clock.forward(1_000);
    const claim = health.claim("a", false) ?? assert.fail("no trial");
    health.settled(claim);
    assert.notEqual(health.claim("a", false), null);
  });

  it("goes again, and longer, when it comes back and cuts what it began", () => {
    const { clock, health, fail, shown } = started();
    fail("a", 3);
    clock.forward(1_000);
    const claim = health.claim("a", false) ?? assert.fail("no trial");
    health.answered(claim, "firstToken", 10);
    health.settled(claim);
    health.failed({ name: "a", trial: false }, "connection reset");
    assert.equal(shown("a").ejectedForMs, 2_000);
  });

  it("is not let back by the late answer to a request of before", () => {
    const { health, fail, shown } = started();
    fail("a", 3);
    health.answered({ name: "a", trial: false }, "firstToken", 10);
    assert.equal(shown("a").standing, "out");
  });

  it("counts failures that come while it is out without making it longer", () => {
    const { fail, shown } = started();
    fail("a", 12);
    assert.deepEqual([shown("a").failed, shown("a").ejectedForMs], [12, 1_000]);
  });

  it("distrusts itself when most look dead, and asks them all", () => {
    const { health, order, fail } = started();
    fail("a", 3);
    fail("b", 3);
    assert.deepEqual(order("a", "b"), { names: ["a", "b"], distrusted: true });
    assert.deepEqual(health.claim("a", true), { name: "a", trial: true });
  });

  it("leaves one out that fails half of its requests, though never three in a row", () => {
    const { health, order, fail, shown } = started();
    for (let i = 0; i < 10; i++) {
      health.succeeded("a");
      fail("a");
    }
    assert.match(shown("a").ejectedBecause ?? "", /50 % of 20/);
    assert.deepEqual(order("a", "b").names, ["b"]);
  });

  it("forgets failures that are half a minute old", () => {
    const { clock, health, fail, shown } = started();
    for (let i = 0; i < 9; i++) {
      health.succeeded("a");
      fail("a");
    }
    clock.forward(31_000);
    for (let i = 0; i < 2; i++) {
      health.succeeded("a");
      fail("a");
    }
    assert.equal(shown("a").standing, "in");
  });

  it("leaves one out that is many times slower than its peers, and judges it anew after", () => {
    const { clock, health, order, shown } = started();
    order("a", "b");
    for (let i = 0; i < 16; i++) {
      health.answered({ name: "b", trial: false }, "firstToken", 100);
      health.answered({ name: "a", trial: false }, "firstToken", 4_000);
    }
    assert.match(shown("a").ejectedBecause ?? "", /4000 ms where its peers take 100 ms/);
    clock.forward(1_000);
    trial(health, "a", "well");
    assert.equal(shown("a").standing, "in");
  });

  it("asks one last that asked for peace, until its time is over, but not for hours", () => {
    const { clock, health, order } = started();
    health.busy("a", 86_400_000);
    assert.deepEqual(order("a", "b").names, ["b", "a"]);
    clock.forward(30_000);
    assert.deepEqual(order("a", "b").names, ["a", "b"]);
  });

  it("learns that a target became slower, from having given it up", () => {
    const { health } = started();
    for (let i = 0; i < 100; i++) health.answered({ name: "a", trial: false }, "firstToken", 100);
    assert.equal(health.p95Ms("a", "firstToken"), 100);
    for (let i = 0; i < 16; i++) health.gaveUp("a", "firstToken", 2_000);
    assert.equal(health.p95Ms("a", "firstToken"), 2_000);
  });

  it("does not take a dead target's silence for its pace", () => {
    const { health, fail } = started();
    for (let i = 0; i < 8; i++) health.answered({ name: "a", trial: false }, "wholeAnswer", 100);
    fail("a", 3);
    for (let i = 0; i < 50; i++) health.gaveUp("a", "wholeAnswer", 2_000);
    assert.equal(health.p95Ms("a", "wholeAnswer"), 100);
  });

  it("spreads the returns of gateways that saw the same fault", () => {
    const { fail, shown } = started(0.8);
    fail("a", 3);
    assert.equal(shown("a").ejectedForMs, 1_200);
  });
});
