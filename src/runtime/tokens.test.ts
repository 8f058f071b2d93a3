import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { countTokens, cutAtStop, tokenise } from "./tokens.ts";

test("a token is a word or a mark with the space before it", () => {
  assert.deepEqual(tokenise("Two boats, (one  old).\n"), [
    "Two",
    " boats",
    ",",
    " (",
    "one",
    "  old",
    ")",
    ".",
    "\n",
  ]);
});

test("the tokens joined are the text, whatever it is", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.equal(tokenise(text).join(""), text);
    }),
  );
});

test("one endless word or a desert of spaces is many tokens", () => {
  assert.equal(countTokens("x".repeat(160)), 10);
  assert.equal(countTokens(" ".repeat(640)), 10);
});

test("the earliest stop sequence cuts, an empty one does not", () => {
  assert.equal(cutAtStop("one two three", ["three", " two"]), "one");
  assert.equal(cutAtStop("one two", ["", "four"]), "one two");
});
