import assert from "node:assert/strict";
import { it } from "node:test";
import { payloadSchema } from "./change.ts";

it("a payload with a field named __proto__ is refused, however deep, and never cut down", () => {
  for (const text of ['{"__proto__":0}', '{"a":[{"b":{"__proto__":{}}}]}']) {
    const { success, error } = payloadSchema.safeParse(JSON.parse(text));
    assert.equal(success, false, text);
    assert.match(error?.message ?? "", /a field cannot be named __proto__/);
  }
  const sound = { proto: 1, nested: { constructor: ["kept"] }, none: null };
  assert.deepEqual(payloadSchema.parse(sound), sound);
});
