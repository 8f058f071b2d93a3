import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { doubtMs, nextProbeMs, type ProbeEnd, probeBoundMs, proves } from "./doubt.ts";

describe("when a silent target is doubted", () => {
  it("after half as much again as it mostly takes, and never after a moment", () => {
    assert.deepEqual([null, 15, 600, 20_000].map(doubtMs), [1_000, 250, 900, 30_000]);
  });
});

describe("a probe", () => {
  it("is waited for by what an answer to one took before, for a second at most", () => {
    assert.deepEqual([0, 2, 100, 900].map(probeBoundMs), [1_000, 300, 500, 1_000]);
  });

  const table: readonly (readonly [ProbeEnd, number, boolean])[] = [
    ["answered", 5, false],
    ["silent", 5, true],
    // Some servers answer one request at a time.
    ["silent", 0, false],
    ["unreached", 0, true],
    ["unreached", 5, true],
    // It refuses, so somebody is there; or it takes no more and ends what it has begun.
    ["refused", 5, false],
  ];
  for (const [end, usualMs, expected] of table) {
    const knows = usualMs > 0 ? "that answered one before" : "that never answered one";
    it(`that ends ${end} ${expected ? "proves" : "does not prove"} a target dead ${knows}`, () =>
      assert.equal(proves(end, usualMs), expected));
  }

  it("comes once a second at most, ever more rarely in vain, never in step with others", () => {
    assert.deepEqual(
      [0, 1, 2, 5, 6, 900].map((vain) => nextProbeMs(vain, 0)),
      [1_000, 2_000, 4_000, 32_000, 60_000, 60_000],
    );
    assert.equal(nextProbeMs(0, 0.8), 1_200);
  });
});
