import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sentences, stem, words } from "./text.ts";

test("words are lower-cased runs of letters and digits, without possessives", () => {
  assert.deepEqual(words("The boat's 42 OARS, don’t—ça va?"), [
    "the",
    "boat",
    "42",
    "oars",
    "don",
    "ça",
    "va",
  ]);
  assert.deepEqual(words("ﬁne ＡＢＣ"), ["fine", "abc"]);
  assert.deepEqual(words(" .,; "), []);
});

test("sentences end at a full stop before a capital, and at a line break", () => {
  assert.deepEqual(
    sentences('It costs 3.50 euros. Pay e.g. by card! Really? "Yes." Good.\n- a list item\n\n---'),
    ["It costs 3.50 euros.", "Pay e.g. by card!", "Really?", '"Yes."', "Good.", "- a list item"],
  );
});

test("sentences keep every word of any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      assert.deepEqual(words(sentences(text).join("\n")), words(text.split(/[\r\n]/).join("\n")));
    }),
  );
});

test("a megabyte of white space is cut without delay", () => {
  assert.deepEqual(sentences(`a${" ".repeat(1_000_000)}b`).length, 1);
});

/** Pairs from Porter's paper, which each show another rule. */
const STEMS: readonly (readonly [string, string])[] = [
  ["caresses", "caress"],
  ["ponies", "poni"],
  ["cats", "cat"],
  ["feed", "feed"],
  ["agreed", "agre"],
  ["plastered", "plaster"],
  ["bled", "bled"],
  ["motoring", "motor"],
  ["sing", "sing"],
  ["conflated", "conflat"],
  ["troubled", "troubl"],
  ["sized", "size"],
  ["hopping", "hop"],
  ["falling", "fall"],
  ["filing", "file"],
  ["happy", "happi"],
  ["sky", "sky"],
  ["relational", "relat"],
  ["conditional", "condit"],
  ["digitizer", "digit"],
  ["operator", "oper"],
  ["hopefulness", "hope"],
  ["formaliti", "formal"],
  ["sensibiliti", "sensibl"],
  ["electrical", "electr"],
  ["goodness", "good"],
  ["revival", "reviv"],
  ["adjustment", "adjust"],
  ["adoption", "adopt"],
  ["rate", "rate"],
  ["cease", "ceas"],
  ["controll", "control"],
  ["roll", "roll"],
];

test("stems follow Porter's rules", () => {
  for (const [word, wanted] of STEMS) assert.equal(stem(word), wanted, word);
});

test("British spellings meet their American twins", () => {
  assert.equal(stem("organisation"), stem("organization"));
  assert.equal(stem("organiser"), stem("organizer"));
});

test("words that the rules do not know stay as they are", () => {
  for (const word of ["größen", "b2b", "is", "流れ"]) assert.equal(stem(word), word);
});

test("a stem is never longer than its word by more than an e, and never empty", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z]{1,15}$/), (word) => {
      const stemmed = stem(word);
      assert.ok(stemmed.length > 0 && stemmed.length <= word.length + 1, `${word} -> ${stemmed}`);
    }),
  );
});
