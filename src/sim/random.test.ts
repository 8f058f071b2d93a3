import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "./random.ts";

test("equal seeds give equal runs, others do not", () => {
  const run = (seed: number) => {
    const random = seededRandom(seed);
    return Array.from({ length: 20 }, () => random.next());
  };
  assert.deepEqual(run(7), run(7));
  assert.notDeepEqual(run(7), run(8));
});

test("the numbers are mulberry32's own", () => {
  const random = seededRandom(1);
  const bits = [1, 2, 3].map(() => random.next() * 2 ** 32);
  assert.deepEqual(bits, [2_693_262_067, 11_749_833, 2_265_367_787]);
});

test("below and pick stay within, and reach every end", () => {
  const random = seededRandom(3);
  const drawn = new Set(Array.from({ length: 200 }, () => random.below(4)));
  assert.deepEqual([...drawn].sort(), [0, 1, 2, 3]);
  const picked = new Set(Array.from({ length: 200 }, () => random.pick(["a", "b", "c"])));
  assert.deepEqual([...picked].sort(), ["a", "b", "c"]);
  assert.throws(() => random.pick([]), RangeError);
});

test("a chance of 0 is never, of 1 always, and of a third about a third", () => {
  const random = seededRandom(5);
  const share = (chance: number) =>
    Array.from({ length: 3_000 }, () => random.chance(chance)).filter(Boolean).length / 3_000;
  assert.equal(share(0), 0);
  assert.equal(share(1), 1);
  assert.ok(Math.abs(share(1 / 3) - 1 / 3) < 0.05);
});
