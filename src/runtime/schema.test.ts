import assert from "node:assert/strict";
import { test } from "node:test";
import { inFormat } from "./schema.ts";

const TEXT = { kind: "text", text: "It is so." } as const;

function told(response_format: unknown): unknown {
  const answer = inFormat(TEXT, { model: "m", messages: [], response_format });
  return answer.kind === "text" ? answer.text : null;
}

const schema = (given: object) =>
  told({ type: "json_schema", json_schema: { name: "x", schema: given } });

test("without a format, or with one of text, the answer is what it was", () => {
  for (const format of [undefined, null, { type: "text" }, "json"]) {
    assert.equal(told(format), TEXT.text);
  }
});

test("a JSON object of no schema holds the answer", () => {
  assert.equal(told({ type: "json_object" }), '{"answer":"It is so."}');
});

test("every kind of schema is filled with what fits, or with null", () => {
  const filled: readonly (readonly [object, unknown])[] = [
    [{ type: "string" }, TEXT.text],
    [{ type: ["string", "null"] }, TEXT.text],
    [{ type: "integer", minimum: 3 }, 3],
    [{ type: "boolean" }, false],
    [{ enum: ["a", "b"] }, "a"],
    [{ const: 7 }, 7],
    [{ anyOf: [{ type: "string" }, { type: "null" }] }, TEXT.text],
    [{ type: "array", items: { type: "integer" }, minItems: 2 }, [0, 0]],
    [{ $ref: "#/$defs/a", $defs: { a: { type: "string" } } }, TEXT.text],
    [{ $ref: "#/$defs/lost" }, null],
    [{ properties: { a: { type: "object", properties: {} } } }, { a: {} }],
  ];
  for (const [given, value] of filled) assert.equal(schema(given), JSON.stringify(value));
});

test("a schema that contains itself has an end, and soon", () => {
  const node = { type: "object", properties: { next: { $ref: "#" }, more: { $ref: "#/$defs/n" } } };
  const text = String(
    schema({ ...node, $defs: { n: { properties: { n: { $ref: "#/$defs/n" } } } } }),
  );
  assert.ok(JSON.parse(text));
  const names = Array.from({ length: 50 }, (_, index) => [`p${index}`, { $ref: "#" }]);
  assert.ok(String(schema({ properties: Object.fromEntries(names) })).length < 100_000);
});

test("a tool's arguments are its own", () => {
  const call = { kind: "tool", name: "f", arguments: "{}" } as const;
  const response_format = { type: "json_object" };
  assert.equal(inFormat(call, { model: "m", messages: [], response_format }), call);
});
