import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { readYaml } from "./yaml-source.ts";

const read = (text: string) => readYaml(text, { file: "x.yaml" });
const messages = (text: string) => read(text).faults.map(({ message }) => message);

test("plain data comes through, aliases filled in", () => {
  const { value, faults } = read("a: &x [1, two]\nb: *x\nc: { d: true, e: ~ }\n");
  assert.deepEqual(faults, []);
  assert.deepEqual(value, { a: [1, "two"], b: [1, "two"], c: { d: true, e: null } });
});

test("aliases of aliases are bounded, and said once", () => {
  const levels = Array.from({ length: 9 }, (_, level) => {
    const items = level === 0 ? "x" : `*l${level - 1}`;
    return `l${level}: &l${level} [${Array(10).fill(items).join(", ")}]`;
  });
  assert.deepEqual(messages(levels.join("\n")), ["the aliases repeat more than 10000 values"]);
});

test("a cycle through several anchors ends", () => {
  assert.deepEqual(messages("a: &x\n  b: &y\n    c: *x\n    d: *y\n"), [
    "*x contains itself",
    "*y contains itself",
  ]);
});

test("brackets without end are refused, not followed to the end of the stack", () => {
  assert.deepEqual(messages(`a: ${"[".repeat(50_000)}`), [
    "this file is nested too deeply to be read",
  ]);
});

test("keys that JavaScript would take for its own are refused", () => {
  const { value, faults } = read("__proto__: { polluted: true }\n? [a]\n: 1\n");
  assert.equal(faults.length, 2);
  assert.deepEqual(value, {});
  assert.equal("polluted" in {}, false);
});

test("the second of two equal keys is told, also between braces, and the first one counts", () => {
  const { value, faults } = read("a: 1\nb: { c: 1, c: 2 }\na: 2\n");
  assert.deepEqual(value, { a: 1, b: { c: 1 } });
  assert.deepEqual(
    faults.map(({ line, column, path }) => [line, column, path]),
    [
      [2, 12, "b.c"],
      [3, 1, "a"],
    ],
  );
});

test("a missing value is shown at its nearest parent", () => {
  const { faultAt } = read("a:\n  b:\n    c: 1\n");
  const place = (path: string[]) => {
    const { line, column } = faultAt({ path, message: "m", instead: "i" });
    return [line, column];
  };
  assert.deepEqual(place(["a", "b", "c"]), [3, 8]);
  assert.deepEqual(place(["a", "b", "d"]), [2, 3]);
  assert.deepEqual(place(["a", "x", "y"]), [1, 1]);
  assert.deepEqual(place(["z"]), [1, 1]);
});

test("property: what the library writes is read back, and every place is found", () => {
  const key = fc.stringMatching(/^[a-z]{1,6}$/);
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof({ maxDepth: 4 }, fc.integer(), fc.boolean(), key, tie("list"), tie("map")),
    list: fc.array(tie("tree"), { maxLength: 4 }),
    map: fc.dictionary(key, tie("tree"), { maxKeys: 4 }),
  }));
  fc.assert(
    fc.property(fc.dictionary(key, tree, { minKeys: 1, maxKeys: 4 }), (data) => {
      const { value, faults } = read(stringify(data));
      assert.deepEqual(faults, []);
      assert.deepEqual(JSON.parse(JSON.stringify(value)), JSON.parse(JSON.stringify(data)));
    }),
    { numRuns: 100 },
  );
});

test("property: no text makes it throw", () => {
  const piece = fc.constantFrom(
    "a",
    ":",
    " ",
    "\n",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "&x",
    "*x",
    '"',
    "'",
    "!t",
    "|",
    "#",
    "\t",
    "---\n",
    "?",
    ",",
    "%",
    "<<",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const { value, faults } = read(pieces.join(""));
      assert.ok(value !== undefined || faults.length > 0);
    }),
    { numRuns: 500 },
  );
});
