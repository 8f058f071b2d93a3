import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Distribution } from "./distribution.ts";
import { boundMs, relaySpan, spansOf, type Waiting } from "./patience.ts";

const CASE: Waiting = {
  p95Ms: 1_000,
  span: { least: 2_000, most: 30_000 },
  factor: 3,
  leftMs: 60_000,
  others: true,
  distrusted: false,
};

describe("how long a target is waited for", () => {
  const table: readonly (readonly [string, Partial<Waiting>, number])[] = [
    ["three times its own p95", {}, 3_000],
    ["not below the floor, however fast it is", { p95Ms: 15 }, 2_000],
    ["not above the ceiling, however slow it is", { p95Ms: 20_000 }, 30_000],
    ["some floors, while nothing is known of it", { p95Ms: null }, 10_000],
    [
      "and some seconds more than a long floor, so that its silence costs seconds",
      { p95Ms: null, span: { least: 10_000, most: 600_000 }, leftMs: 600_000 },
      18_000,
    ],
    [
      "as long as those beside it may take, while nothing is known of it",
      { p95Ms: null, peersP95Ms: 5_000 },
      15_000,
    ],
    ["no shorter because those beside it are fast", { p95Ms: null, peersP95Ms: 15 }, 10_000],
    ["by its own time once that is known, whatever its peers take", { peersP95Ms: 9_000 }, 3_000],
    ["half of what is left, so that the next one has a chance", { leftMs: 5_000 }, 2_500],
    ["the ceiling, when there is nobody else to go to", { others: false }, 30_000],
    ["four times that, when most look dead", { distrusted: true }, 12_000],
    ["and then, too, not above the ceiling", { distrusted: true, p95Ms: 9_000 }, 30_000],
    ["never beyond the deadline", { others: false, leftMs: 700 }, 700],
    ["not at all after the deadline", { leftMs: -5 }, 0],
  ];
  for (const [name, change, expected] of table) {
    it(name, () => assert.equal(boundMs({ ...CASE, ...change }), expected));
  }

  it("is never beyond the deadline or below zero, whatever is known", () => {
    const ms = fc.double({ min: 0, max: 1e6, noNaN: true });
    const waiting = fc.record({
      p95Ms: fc.option(ms),
      span: fc.record({ least: ms, most: ms }),
      factor: ms,
      leftMs: fc.double({ min: -1e6, max: 1e6, noNaN: true }),
      others: fc.boolean(),
      distrusted: fc.boolean(),
    });
    fc.assert(
      fc.property(waiting, (one) => {
        const bound = boundMs(one);
        assert.ok(bound >= 0 && bound <= Math.max(0, one.leftMs) && bound <= one.span.most);
      }),
    );
  });

  it("is longer for a gateway, which goes on to others itself", () => {
    const span = { least: 2_000, most: 3_000 };
    assert.deepEqual(relaySpan(span, true), { least: 4_000, most: 4_000 });
    const alone = { ...CASE, others: false, span: relaySpan(span, false) };
    assert.equal(boundMs(alone), 60_000);
  });

  it("is bounded by what the process allows, too", () => {
    const span = { least: 2_000, most: 30_000 };
    const reflex = { firstToken: span, stall: span, wholeAnswer: span };
    const all = { ...reflex, patience: 3, attempts: 4, retryShare: 0.2, ejectAtMost: 0.5 };
    const spans = spansOf(all, { firstEventMs: 300, idleMs: 5_000 });
    assert.deepEqual(spans.firstToken, { least: 300, most: 300 });
    assert.deepEqual(spans.stall, { least: 2_000, most: 5_000 });
    assert.deepEqual(spans.wholeAnswer, span);
  });
});

describe("what is normal", () => {
  it("is unknown before enough was seen", () => {
    const seen = new Distribution();
    for (let i = 0; i < 7; i++) seen.add(10);
    assert.equal(seen.quantile(0.95, 8), null);
    seen.add(10);
    assert.equal(seen.quantile(0.95, 8), 10);
  });

  it("is a value that was seen, with the given share at or below it", () => {
    const values = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), {
      minLength: 1,
      maxLength: 128,
    });
    fc.assert(
      fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (given, q) => {
        const seen = new Distribution();
        for (const value of given) seen.add(value);
        const at = seen.quantile(q, 1) ?? assert.fail("nothing was seen");
        assert.ok(given.includes(at));
        assert.ok(given.filter((value) => value <= at).length >= q * given.length - 1e-9);
        assert.ok(given.filter((value) => value < at).length < q * given.length);
      }),
    );
  });

  it("follows a change: the oldest values go", () => {
    const seen = new Distribution(new Float64Array(16));
    for (let i = 0; i < 16; i++) seen.add(10);
    assert.equal(seen.quantile(0.5, 1), 10);
    for (let i = 0; i < 16; i++) seen.add(500);
    assert.equal(seen.quantile(0.5, 1), 500);
    assert.equal(seen.count, 16);
  });
});
