import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { SourceChange } from "../model/change.ts";
import { NO_WATERMARKS, type Watermarks } from "../model/index-health.ts";
import { watermarkStepMs, worthKeeping } from "./watermarks.ts";

const mark = (sourceTime: number, audience?: string): SourceChange => ({
  op: "watermark",
  sourceTime,
  ...(audience === undefined ? {} : { audience }),
});
const gone = (id: string): SourceChange => ({ op: "delete", id, sourceTime: 1 });
const KNOWN: Watermarks = { all: 10_000, tenants: { acme: 12_000 } };
const STEP = 1_000;

describe("a watermark", () => {
  const rows: [what: string, changes: SourceChange[], kept: number[]][] = [
    ["that comes a step later is kept", [mark(11_000)], [0]],
    ["that comes sooner is left out: the log would grow with each heartbeat", [mark(10_999)], []],
    ["that says less than is known is left out", [mark(9_000)], []],
    [
      "of a tenant is held against that tenant's",
      [mark(12_500, "acme"), mark(13_000, "acme")],
      [1],
    ],
    ["of a tenant that is new is kept", [mark(1_000, "bolt")], [0]],
    [
      "that comes with other changes is kept, however small its step",
      [gone("a"), mark(10_001)],
      [0, 1],
    ],
    ["that tells nothing new is not kept even then", [gone("a"), mark(10_000)], [0]],
    ["that a later one covers is left out", [mark(11_000), gone("a"), mark(12_000)], [1, 2]],
    ["of all does not cover one of a tenant", [mark(13_000, "acme"), mark(13_000)], [0, 1]],
  ];
  for (const [what, changes, kept] of rows) {
    test(what, () => {
      const expected = kept.map((at) => changes[at]);
      assert.deepEqual(worthKeeping(changes, KNOWN, STEP), expected);
    });
  }

  test("every second for an hour is stored once a step", () => {
    let known = NO_WATERMARKS;
    let stored = 0;
    for (let second = 1; second <= 3_600; second += 1) {
      const kept = worthKeeping([mark(second * 1_000)], known, 30_000);
      stored += kept.length;
      for (const { sourceTime } of kept as { sourceTime: number }[]) {
        known = { ...known, all: sourceTime };
      }
    }
    assert.equal(stored, 120);
  });

  test("never takes another change with it, and what is stored never says more than was sent", () => {
    const change = fc.oneof(
      fc.constant(gone("a")),
      fc
        .tuple(fc.integer({ min: 1, max: 30_000 }), fc.constantFrom(undefined, "acme", "bolt"))
        .map(([time, audience]) => mark(time, audience)),
    );
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        const kept = worthKeeping(changes, KNOWN, STEP);
        const others = (list: readonly SourceChange[]) => list.filter(({ op }) => op === "delete");
        assert.deepEqual(others(kept), others(changes));
        assert.ok(kept.every((one) => changes.includes(one)));
      }),
    );
  });
});

test("the step is a tenth of the strictest age, so that a stored word is at most that much too old", () => {
  assert.equal(watermarkStepMs({ maxAge: 300_000, tenants: {} }), 30_000);
  assert.equal(watermarkStepMs({ maxAge: 300_000, tenants: { acme: 60_000 } }), 6_000);
  assert.equal(watermarkStepMs(undefined), 30_000);
});
