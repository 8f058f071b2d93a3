import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TideoverError } from "../../lib/errors.ts";
import { type Change, floatsOf, judgeChange } from "./entry.ts";

const base64 = (...numbers: number[]): string =>
  Buffer.from(new Float32Array(numbers).buffer).toString("base64");

const good: Change = {
  op: "upsert",
  id: "returns",
  title: "Returns",
  text: "Thirty days.",
  audience: "public",
  labels: [],
  payload: {},
  sourceTime: 1,
  embedding: "lex-1",
  vector: base64(1, 0.5),
};

const faults: readonly [name: string, change: Partial<Change>, message: RegExp][] = [
  ["an empty id", { id: "" }, /id is empty/],
  ["no source time", { sourceTime: Number.NaN }, /sourceTime is NaN/],
  ["half a character", { title: "a\ud800" }, /"returns": its title is not valid Unicode/],
  ["what is not base64", { vector: "!!!!" }, /not base64 \(!!!!\)/],
  ["base64 cut short", { vector: base64(1, 2, 3).slice(0, 15) }, /not base64/],
  ["bytes that are no floats", { vector: "AAAAAAA=" }, /5 bytes, which is no multiple of 4/],
  ["no vector at all", { vector: "" }, /no vector/],
  ["NaN", { vector: base64(1, Number.NaN) }, /NaN at place 1/],
  ["infinity", { vector: base64(Number.NEGATIVE_INFINITY, 1) }, /-Infinity at place 0/],
  ["other dimensions", { vector: base64(1, 2, 3) }, /3 dimensions, the index's lex-1 .* have 2/],
  ["a delete with a vector", { op: "delete" }, /a delete carries a vector/],
];

describe("a change that is judged", () => {
  it("gives the bytes of its vector", () => {
    assert.deepEqual([...floatsOf(judgeChange(good, 2))], [1, 0.5]);
    assert.deepEqual([...floatsOf(judgeChange(good, null))], [1, 0.5]);
    assert.equal(judgeChange({ ...good, op: "delete", vector: "" }, 2).length, 0);
  });

  for (const [name, change, message] of faults) {
    it(`is refused with ${name}, saying what to do`, () => {
      assert.throws(
        () => judgeChange({ ...good, ...change }, 2),
        (error) =>
          error instanceof TideoverError &&
          error.code === "CORPUS_INVALID" &&
          error.next !== undefined &&
          message.test(error.message),
      );
    });
  }
});
