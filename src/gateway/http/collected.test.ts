import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Collected } from "./collected.ts";

test("a body is what its pieces were, also when those are used for something else afterwards", () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 30 });
  fc.assert(
    fc.property(pieces, fc.integer({ min: 1, max: 2_000 }), (parts, times) => {
      const all = parts.map((part) => Buffer.concat(Array(times).fill(part)));
      const collected = new Collected();
      for (const part of all) {
        const lent = Buffer.from(part);
        collected.add(lent);
        lent.fill("!");
      }
      const wanted = Buffer.concat(all);
      assert.equal(collected.length, wanted.length);
      assert.ok(collected.whole().equals(wanted));
    }),
    { numRuns: 50 },
  );
});

test("nothing at all is an empty body", () => {
  assert.equal(new Collected().whole().length, 0);
});
