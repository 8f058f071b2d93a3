import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  EJECTION,
  ejectionMs,
  orderOf,
  type Placed,
  reasonToEject,
  type Seen,
} from "./ejection.ts";

const FINE: Seen = { failedInARow: 0, requests: 100, failures: 1, typicalMs: 100 };

describe("when a target is left alone", () => {
  const table: readonly (readonly [string, Partial<Seen>, number[], RegExp | null])[] = [
    ["not while it answers", {}, [100, 110], null],
    ["not for two failures in a row", { failedInARow: 2 }, [], null],
    ["for three failures in a row", { failedInARow: 3 }, [], /3 failures in a row/],
    ["for failing half of enough requests", { requests: 20, failures: 10 }, [], /50 % of 20/],
    ["not for failing all of a few", { requests: 5, failures: 5 }, [], null],
    ["not for failing less than half", { requests: 100, failures: 49 }, [], null],
    ["for being many times slower than its peers", { typicalMs: 5_000 }, [200, 300], /5000 ms/],
    ["not for being slower by little", { typicalMs: 900 }, [100], null],
    ["not for being slow where all are", { typicalMs: 5_000 }, [4_000, 6_000], null],
    ["not for being slow without peers", { typicalMs: 5_000 }, [], null],
    ["not for a slowness that nothing is known of", { typicalMs: null }, [10], null],
  ];
  for (const [name, change, peers, expected] of table) {
    it(name, () => {
      const reason = reasonToEject({ ...FINE, ...change }, peers, EJECTION);
      if (expected === null) assert.equal(reason, null);
      else assert.match(reason?.because ?? "", expected);
    });
  }

  it("for ever longer, up to a bound, and never for the same time in two gateways", () => {
    const periods = [0, 1, 2, 10, 2_000].map((times) => ejectionMs(times, 0, EJECTION));
    assert.deepEqual(periods, [1_000, 2_000, 4_000, 60_000, 60_000]);
    assert.equal(ejectionMs(0, 0.5, EJECTION), 1_125);
  });
});

describe("whom to ask", () => {
  const placed = (name: string, standing: Placed["standing"], busy = false): Placed => {
    return { name, standing, busy };
  };

  it("those in use, in the given order", () => {
    const order = orderOf([placed("a", "in"), placed("b", "in")], 0.5);
    assert.deepEqual(order, { names: ["a", "b"], distrusted: false });
  });

  it("not one that is out; one that is to be tried keeps its place", () => {
    const group = [placed("a", "out"), placed("b", "trial"), placed("c", "in")];
    assert.deepEqual(orderOf(group, 0.5).names, ["b", "c"]);
  });

  it("one that asked for peace last", () => {
    assert.deepEqual(orderOf([placed("a", "in", true), placed("b", "in")], 0.5).names, ["b", "a"]);
  });

  it("all of them, the good ones first, when more than the share looks dead", () => {
    const group = [placed("a", "out"), placed("b", "out"), placed("c", "in")];
    assert.deepEqual(orderOf(group, 0.5), { names: ["c", "a", "b"], distrusted: true });
    assert.deepEqual(orderOf([placed("a", "out")], 0.5).names, ["a"]);
  });

  it("somebody, always; and never fewer than the share allows to leave out", () => {
    const standing = fc.constantFrom<Placed["standing"]>("in", "out", "trial");
    const group = fc.array(fc.record({ standing, busy: fc.boolean() }), { minLength: 1 });
    fc.assert(
      fc.property(group, fc.double({ min: 0, max: 0.99, noNaN: true }), (members, atMost) => {
        const all = members.map((member, at) => ({ name: `t${at}`, ...member }));
        const { names } = orderOf(all, atMost);
        assert.ok(names.length > 0);
        assert.equal(new Set(names).size, names.length);
        assert.ok(all.length - names.length <= all.length * atMost);
      }),
    );
  });
});
