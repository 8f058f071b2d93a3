import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { didYouMean } from "./did-you-mean.ts";

const KNOWN = ["rto", "rpo", "standbys", "degradedModes", "dependsOn"];

test("slips find the word that was meant", () => {
  assert.equal(didYouMean("rtp", ["rto"]), "rto");
  assert.equal(didYouMean("standybs", KNOWN), "standbys");
  assert.equal(didYouMean("standby", KNOWN), "standbys");
  assert.equal(didYouMean("degradedmodes", KNOWN), "degradedModes");
  assert.equal(didYouMean("depends-on", KNOWN), "dependsOn");
});

test("words far from all find none", () => {
  assert.equal(didYouMean("colour", KNOWN), undefined);
  assert.equal(didYouMean("x", ["y"]), undefined);
  assert.equal(didYouMean("", KNOWN), undefined);
  assert.equal(didYouMean("rto".repeat(100_000), KNOWN), undefined);
});

test("property: one swapped pair of letters in a long word is always forgiven", () => {
  const word = fc.stringMatching(/^[a-z]{5,12}$/);
  fc.assert(
    fc.property(word, fc.nat(), (meant, seed) => {
      const at = seed % (meant.length - 1);
      const slip = meant.slice(0, at) + meant[at + 1] + meant[at] + meant.slice(at + 2);
      assert.equal(didYouMean(slip, [meant]), meant);
    }),
    { numRuns: 200 },
  );
});
