import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cyclesIn } from "./cycles.ts";

const graph = (edges: Record<string, string[]>) => new Map(Object.entries(edges));

test("cycles are named with every member, from start back to start", () => {
  assert.deepEqual(cyclesIn(graph({ a: ["b"], b: ["c"], c: ["a"] })), [["a", "b", "c", "a"]]);
  assert.deepEqual(cyclesIn(graph({ a: ["a"] })), [["a", "a"]]);
  assert.deepEqual(cyclesIn(graph({ x: ["a"], a: ["b"], b: ["a"] })), [["a", "b", "a"]]);
});

test("two ways to one place are no cycle, and unknown names are nobody's", () => {
  assert.deepEqual(cyclesIn(graph({ a: ["b", "c"], b: ["d"], c: ["d"], d: ["nobody"] })), []);
});

test("property: edges only to later names make no cycle; one edge back makes one", () => {
  const size = 8;
  const edge = fc.tuple(fc.nat(size - 2), fc.nat(size - 1)).map(([from, skip]) => {
    return [from, from + 1 + (skip % (size - 1 - from))] as const;
  });
  fc.assert(
    fc.property(fc.array(edge, { maxLength: 20 }), (edges) => {
      const chain = Array.from({ length: size - 1 }, (_, at) => [at, at + 1] as const);
      const toGraph = (all: readonly (readonly [number, number])[]) =>
        new Map(
          Array.from({ length: size }, (_, at) => [
            `n${at}`,
            all.filter(([from]) => from === at).map(([, to]) => `n${to}`),
          ]),
        );
      assert.deepEqual(cyclesIn(toGraph([...chain, ...edges])), []);
      assert.ok(cyclesIn(toGraph([...chain, ...edges, [size - 1, 0]])).length > 0);
    }),
    { numRuns: 100 },
  );
});
