import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { logOdds, signTest, upperBound } from "./odds.ts";
import { seeded } from "./samples.fixture.ts";

const near = (found: number, wanted: number, what: string): void =>
  assert.ok(Math.abs(found - wanted) <= 1e-6 * Math.max(1, Math.abs(wanted)), `${what}: ${found}`);

test("odds are those that integration by hand gives", () => {
  near(Math.exp(logOdds(0, 0, 0.5)), 1, "nothing seen, nothing won");
  near(Math.exp(logOdds(8, 8, 0.5)), (2 ** 9 / 9) * (1 - 2 ** -9), "eight of eight");
  near(Math.exp(logOdds(1, 1, 0.5)), 1.5, "one of one");
  near(Math.exp(logOdds(0, 1, 0.5)), 0.5, "none of one");
  // The integral of t over (0.2, 1), divided by 0.8 * 0.2.
  near(Math.exp(logOdds(1, 1, 0.2)), (0.96 / 2 / 0.8) * 5, "one of one against a fifth");
});

test("a fair game: the mean of the odds after any number of observations is 1", () => {
  const shares = fc.double({ min: 0.02, max: 0.98, noNaN: true });
  fc.assert(
    fc.property(shares, fc.integer({ min: 1, max: 60 }), (share, all) => {
      let mean = 0;
      let probability = (1 - share) ** all;
      for (let bad = 0; bad <= all; bad += 1) {
        mean += probability * Math.exp(logOdds(bad, all, share));
        probability *= ((all - bad) / (bad + 1)) * (share / (1 - share));
      }
      near(mean, 1, `share ${share}, ${all} observations`);
    }),
  );
});

test("more bad ones never lower the odds, more good ones never raise them", () => {
  const counts = fc.integer({ min: 0, max: 2_000 });
  const shares = fc.double({ min: 0.01, max: 0.99, noNaN: true });
  fc.assert(
    fc.property(counts, counts, shares, (bad, good, share) => {
      const here = logOdds(bad, bad + good, share);
      const slack = 1e-6 * Math.max(1, Math.abs(here));
      assert.ok(logOdds(bad + 1, bad + good + 1, share) >= here - slack);
      assert.ok(
        logOdds(bad + 1, bad + 1 + good, share) >= logOdds(bad, bad + 1 + good, share) - slack,
      );
    }),
  );
});

test("the bound is above what was seen, shrinks with what is seen, and is 1 when nothing was", () => {
  assert.equal(upperBound(0, 0, 0.01), 1);
  assert.ok(Math.abs(upperBound(0, 100, 0.005) - 0.069976) < 1e-6);
  const sizes = [10, 100, 1_000, 100_000];
  const bounds = sizes.map((all) => upperBound(all / 10, all, 0.01));
  assert.deepEqual(
    bounds.toSorted((a, b) => b - a),
    bounds,
  );
  for (const bound of bounds) assert.ok(bound > 0.1);
  assert.ok(Number(bounds.at(-1)) < 0.11);
});

test("looked at after each of 500 observations, a fair coin looks unfair as seldom as is promised", () => {
  const promised = 0.05;
  const wanted = Math.log(1 / promised);
  let wrong = 0;
  for (let trial = 0; trial < 1_000; trial += 1) {
    const random = seeded(trial);
    let bad = 0;
    for (let all = 1; all <= 500; all += 1) {
      if (random() < 0.5) bad += 1;
      if (logOdds(bad, all, 0.5) < wanted) continue;
      wrong += 1;
      break;
    }
  }
  assert.ok(wrong <= promised * 1_000, `${wrong} of 1,000`);
  assert.ok(wrong > 0, "the test can tell: at 5 % some trials must look unfair");
});

test("the sign test is exact", () => {
  near(signTest(7, 7), 2 ** -7, "seven of seven");
  near(signTest(5, 10), 0.623046875, "five of ten");
  near(signTest(9, 10), 11 / 1024, "nine of ten");
  assert.equal(signTest(0, 10), 1);
});
