import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadDriver } from "./driver.ts";
import { anyOf, visible, within } from "./filter.ts";
import { isLocal } from "./options.ts";

test("a missing package is told with the command that installs it", () => {
  assert.throws(() => loadDriver([join(tmpdir(), "nothing-is-installed-here", "x.js")]), {
    code: "INDEX_UNAVAILABLE",
    message: "the index engine lancedb needs the packages @lancedb/lancedb and apache-arrow",
    next: "Run `npm install @lancedb/lancedb apache-arrow` beside Tideover, and start again.",
  });
});

test("a caller's words are literals of a condition, and never a part of it", () => {
  assert.equal(anyOf("id", ["a' OR 'b' = 'b"]), "id IN ('a'' OR ''b'' = ''b')");
  assert.equal(anyOf("id", ["\ud800"]), "false");
  assert.equal(
    visible({ audiences: ["public"], labels: [] }),
    "audience IN ('public') AND cardinality(labels) = 0",
  );
  assert.equal(
    visible({ audiences: [], labels: ["hr"] }),
    "false AND array_has_all(make_array('hr'), labels)",
  );
});

test("a range of all is no condition, the last one ends at the last place", () => {
  assert.equal(within([{ prefix: 0, bits: 0 }]), "true");
  assert.equal(within([{ prefix: 3, bits: 2 }]), "(place >= 3221225472 AND place <= 4294967295)");
  assert.equal(within([]), "false");
});

test("an address of object storage is no folder of this machine", () => {
  for (const folder of ["/var/lance", "lance", "C:\\lance", "./a:b"]) {
    assert.equal(isLocal({ folder }), true, folder);
  }
  for (const folder of ["s3://bucket/a", "gs://b", "az://c"]) {
    assert.equal(isLocal({ folder }), false, folder);
  }
});
