import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { PAGES, pageText, pathOf } from "./runbook-pages.ts";

for (const page of PAGES) {
  test(`the runbook of ${page} says what the machine would do (npm run runbooks writes it)`, async () => {
    assert.equal(readFileSync(pathOf(page), "utf8"), await pageText(page));
  });
}
