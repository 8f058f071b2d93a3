import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { specJsonSchemaText } from "./json-schema.ts";

test("tideover.schema.json is up to date", () => {
  const published = readFileSync(new URL("../../tideover.schema.json", import.meta.url), "utf8");
  assert.equal(published, specJsonSchemaText(), "run: node scripts/write-schema.ts");
});

test("the schema can be used by relative path, and explains itself", () => {
  const schema: unknown = JSON.parse(specJsonSchemaText());
  assert.ok(typeof schema === "object" && schema !== null);
  assert.ok(!("$id" in schema));
  const undescribed: string[] = [];
  collectUndescribed(schema, "", undescribed);
  assert.deepEqual(undescribed, []);
});

/** Every key that a person can write should say in an editor what it is for. */
function collectUndescribed(node: unknown, path: string, found: string[]): void {
  if (typeof node !== "object" || node === null) return;
  if ("properties" in node && typeof node.properties === "object" && node.properties !== null)
    for (const [key, member] of Object.entries(node.properties)) {
      if (member.description === undefined) found.push(`${path}.${key}`);
      collectUndescribed(member, `${path}.${key}`, found);
    }
  if ("additionalProperties" in node)
    collectUndescribed(node.additionalProperties, `${path}.*`, found);
  if ("items" in node) collectUndescribed(node.items, `${path}[]`, found);
}
