import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { paint, table } from "./output.ts";

test("columns begin at one place in every row, and the last one is left as it is", () => {
  assert.deepEqual(
    table([
      ["WORKFLOW", "EPOCH", "STANDBY"],
      ["rag", "12", "us-east ready (8 of 8 checks passed)"],
      ["a-longer-name", "1", "-"],
    ]),
    [
      "WORKFLOW       EPOCH  STANDBY",
      "rag            12     us-east ready (8 of 8 checks passed)",
      "a-longer-name  1      -",
    ],
  );
});

test("a row may be shorter than the others, or empty, and no line ends in white space", () => {
  assert.deepEqual(table([["a", "b", "c"], ["long"], [], ["x", "", ""]]), [
    "a     b  c",
    "long",
    "",
    "x",
  ]);
  assert.deepEqual(table([]), []);
});

test("every cell of a column begins where its header does, whatever the cells hold", () => {
  const cell = fc.string({ minLength: 1, maxLength: 12 }).map((text) => `<${text.trim()}>`);
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell, cell), { minLength: 1 }), (rows) => {
      const lines = table(rows);
      const widest = (column: 0 | 1) => Math.max(...rows.map((row) => row[column].length));
      const second = widest(0) + 2;
      const third = second + widest(1) + 2;
      for (const [at, [, middle, last]] of rows.entries()) {
        assert.ok(lines[at]?.startsWith(middle, second));
        assert.equal(lines[at]?.slice(third), last);
      }
    }),
  );
});

test("what no person sees is plain: a pipe and a file get no colours", () => {
  const forced = process.env.FORCE_COLOR;
  delete process.env.FORCE_COLOR;
  const pipe = new PassThrough() as unknown as NodeJS.WriteStream;
  assert.equal(paint("red", "no controller leads", pipe), "no controller leads");
  // Whoever asks for colours gets them; this also shows that the line above tries something.
  process.env.FORCE_COLOR = "1";
  assert.equal(paint("red", "x", pipe), "\u001b[31mx\u001b[39m");
  if (forced === undefined) delete process.env.FORCE_COLOR;
  else process.env.FORCE_COLOR = forced;
});
