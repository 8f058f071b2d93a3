import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { arrayText, fromColumn, toColumn } from "./text.ts";

const odd = fc.string({ unit: fc.constantFrom("\u0000", "\u0001", "\u0002", "a", "\u{1f30a}") });

test("any text comes back as it went in, and none holds what PostgreSQL refuses", () => {
  fc.assert(
    fc.property(odd, (text) => {
      assert.equal(fromColumn(toColumn(text)), text);
      assert.ok(!toColumn(text).includes("\u0000"));
    }),
  );
});

test("texts stand in a column in the order that they have outside", () => {
  const bytes = (text: string): Buffer => Buffer.from(text, "utf8");
  fc.assert(
    fc.property(odd, odd, (a, b) => {
      const inside = Buffer.compare(bytes(toColumn(a)), bytes(toColumn(b)));
      assert.equal(inside, Buffer.compare(bytes(a), bytes(b)));
    }),
  );
});

test("a text of ours is the column's own text", () => {
  assert.equal(toColumn("Grüße, \u{1f30a}\n"), "Grüße, \u{1f30a}\n");
});

test("an array is quoted so that no element can end it", () => {
  assert.equal(arrayText([]), "{}");
  assert.equal(arrayText(["a", 'b"},{', "\\", "NULL", ""]), '{"a","b\\"},{","\\\\","NULL",""}');
});
