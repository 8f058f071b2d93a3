import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { DEFAULT_SLOW } from "../../model/reflex.ts";
import { freshRun } from "./entry.ts";
import {
  isDecisive,
  isFull,
  isSlow,
  mayDoBetter,
  normalAfter,
  type Run,
  type SlowMeasure,
} from "./slowness.ts";

const run = (changes: Partial<Run>): Run => ({ ...freshRun(), ...changes });
const ms = fc.double({ min: 0.01, max: 1e6, noNaN: true });

describe("what is slow beside a target's own normal", () => {
  const table: readonly (readonly [string, number, number, SlowMeasure, boolean])[] = [
    ["three times as long for an answer, and a second more", 1_600, 500, "wholeAnswer", true],
    ["not twice as long", 1_000, 500, "wholeAnswer", false],
    ["not ten times as long, where that is a few ms", 50, 5, "firstToken", false],
    ["not ten times as long to a first word that comes at once", 150, 15, "firstToken", false],
    ["three times as long to a first word that takes a second", 3_100, 1_000, "firstToken", true],
    ["ten times the pause between two words", 500, 50, "pace", true],
    ["not a pause that grew by a few ms", 20, 2, "pace", false],
    ["nothing, while no normal is known", 60_000, 0, "wholeAnswer", false],
  ];
  for (const [name, took, normal, measure, expected] of table) {
    it(name, () => assert.equal(isSlow(took, normal, measure), expected));
  }

  it("is what the spec says, when it says so", () => {
    assert.equal(isSlow(150, 15, "firstToken", { times: 5, least: 100 }), true);
    assert.equal(isSlow(1_600, 500, "wholeAnswer", { times: 5, least: 100 }), false);
  });

  it("is never less than what is normal, nor less than a time that is slow", () => {
    const measure = fc.constantFrom<SlowMeasure>("firstToken", "wholeAnswer", "pace");
    fc.assert(
      fc.property(ms, ms, ms, measure, (took, more, normal, of) => {
        assert.ok(!isSlow(normal, normal, of));
        if (isSlow(took, normal, of)) assert.ok(isSlow(took + more, normal, of));
      }),
    );
  });
});

describe("what is normal", () => {
  it("is the first window, and follows the next ones by little each", () => {
    assert.equal(normalAfter(run({}), 500), 500);
    const settled = run({ normalMs: 500, windows: 1_000 });
    assert.equal(normalAfter(settled, 5_000).toFixed(3), "502.500");
    assert.equal(normalAfter(settled, 501), 501);
    assert.equal(Math.round(normalAfter(settled, 1)), 498);
  });

  it("takes minutes to become ten times what it was", () => {
    let now = run({ normalMs: 500, windows: 1_000 });
    let seconds = 0;
    for (; isSlow(5_000, now.normalMs, "wholeAnswer", DEFAULT_SLOW); seconds++) {
      now = { ...now, normalMs: normalAfter(now, 5_000) };
    }
    assert.ok(seconds > 180 && seconds < 600, `${seconds}`);
  });

  it("lies between what it was and what came, whatever came", () => {
    const windows = fc.nat(10_000);
    fc.assert(
      fc.property(ms, ms, windows, (normalMs, windowMs, seen) => {
        const after = normalAfter(run({ normalMs, windows: seen }), windowMs);
        const [low, high] = [Math.min(normalMs, windowMs), Math.max(normalMs, windowMs)];
        assert.ok(after >= low * 0.999999 && after <= high * 1.000001);
      }),
    );
  });
});

describe("what it takes to judge", () => {
  it("a second and enough requests, both", () => {
    assert.equal(isFull(run({ since: 0, count: 16 }), 1_000), true);
    assert.equal(isFull(run({ since: 0, count: 15 }), 60_000), false);
    assert.equal(isFull(run({ since: 0, count: 500 }), 999), false);
  });

  it("one that may do better: unknown, or twice as fast, lately or else usually", () => {
    const now = 100_000;
    assert.equal(mayDoBetter(run({}), 5_000, now), true);
    assert.equal(mayDoBetter(run({ nowMs: 2_500, nowAt: now }), 5_000, now), true);
    assert.equal(mayDoBetter(run({ nowMs: 4_000, nowAt: now }), 5_000, now), false);
    // What it took a while ago is no word on now; what is normal for it still is.
    assert.equal(mayDoBetter(run({ nowMs: 4_000, nowAt: 0, normalMs: 500 }), 5_000, now), true);
    assert.equal(mayDoBetter(run({ normalMs: 4_000 }), 5_000, now), false);
  });

  it("more than a first word, for one whose words come slowly", () => {
    assert.equal(isDecisive("firstToken", "pace"), false);
    assert.equal(isDecisive("pace", "wholeAnswer"), true);
    assert.equal(isDecisive("wholeAnswer", "pace"), true);
    assert.equal(isDecisive("firstToken", "firstToken"), true);
  });
});
