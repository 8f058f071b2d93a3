import assert from "node:assert/strict";
import { test } from "node:test";
import { indexSchema, readIndexUrl } from "./index-server.ts";

test("a server's address is read from the variable that the spec names", () => {
  assert.equal(readIndexUrl("eu", "PG", { PG: " postgres://h/d\n" }), "postgres://h/d");
  for (const value of [undefined, "", " "]) {
    assert.throws(() => readIndexUrl("eu", "PG", { PG: value }), {
      code: "USAGE",
      message: "regions.eu.components.index.urlEnv names PG, which is not set.",
      next: /^Set PG to postgres:/,
    });
  }
});

test("every index has a schema of its own that PostgreSQL does not cut off", () => {
  assert.equal(indexSchema(undefined, "handbook"), "tideover_handbook");
  assert.equal(indexSchema("ai", "legal-notes"), "ai_legal_notes");
  const long = ["a", "b"].map((end) => indexSchema("x".repeat(30), `${"n".repeat(62)}${end}`));
  assert.equal(new Set(long).size, 2);
  for (const name of long) assert.equal(name.length, 63);
});
