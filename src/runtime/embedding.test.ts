import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createEmbedder } from "./embedding.ts";

const { embed } = createEmbedder({ salt: "v1" });

function cosine(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, part, at) => sum + part * (b[at] ?? 0), 0);
}

const leave = "Parental leave: every parent may take 26 weeks of paid leave.";

test("a text about the question is nearer than one about something else", () => {
  const question = embed("How many weeks of leave do parents get?");
  const other = embed("Laptops are replaced after four years by the service desk.");
  assert.ok(cosine(question, embed(leave)) > cosine(question, other) + 0.2);
});

test("another salt gives a vector that has nothing to do with the first", () => {
  const other = createEmbedder({ salt: "v2" });
  assert.ok(cosine(embed(leave), embed(leave)) > 0.999);
  assert.ok(Math.abs(cosine(embed(leave), other.embed(leave))) < 0.3);
});

test("general English counts less than the words of a subject", () => {
  const subject = embed("harbour");
  assert.ok(cosine(embed("large harbour"), subject) > cosine(embed("turbine harbour"), subject));
});

test("any text, even none, gives a vector of length 1 of the wanted size", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme" }),
      fc.integer({ min: 1, max: 64 }),
      (text, dimensions) => {
        const vector = createEmbedder({ salt: "s", dimensions }).embed(text);
        assert.equal(vector.length, dimensions);
        assert.ok(Math.abs(cosine(vector, vector) - 1) < 1e-9);
      },
    ),
  );
  for (const text of ["", "  ", "?!", "to be or not to be"]) {
    assert.ok(Math.abs(cosine(embed(text), embed(text)) - 1) < 1e-9);
  }
});

test("a text of stop words alone still has a direction of its own", () => {
  assert.ok(cosine(embed("to be or not to be"), embed("")) < 0.5);
});
