import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EMPTY_POSITION } from "../../model/position.ts";
import { lagMs } from "./freshness.ts";

const at = (seq: number, sourceTime: number, digest = "1".repeat(32)) => ({
  seq,
  digest,
  sourceTime,
  count: seq,
});

describe("lag", () => {
  it("is 0 when level", () => {
    assert.equal(lagMs(at(3, 900), at(3, 900)), 0);
    assert.equal(lagMs(EMPTY_POSITION, EMPTY_POSITION), 0);
  });

  it("is the source time between the newest changes", () => {
    assert.equal(lagMs(at(3, 900), at(5, 1_400)), 500);
  });

  it("is never 0 when something is missing, however the source's times lie", () => {
    assert.equal(lagMs(at(3, 900), at(4, 900)), 1);
    assert.equal(lagMs(at(3, 900), at(4, 700)), 1);
  });

  it("is never 0 for diverged copies at one seq", () => {
    assert.equal(lagMs(at(3, 900), at(3, 900, "2".repeat(32))), 1);
  });

  it("is no longer than the copy has been anything but level", () => {
    const [own, owner] = [at(3, 900), at(4, 3_600_900)];
    assert.equal(lagMs(own, owner, 400), 400);
    assert.equal(lagMs(own, owner, 0), 1);
    assert.equal(lagMs(own, owner, 9_999_999), 3_600_000);
    assert.equal(lagMs(own, owner, null), 3_600_000);
  });
});
