import assert from "node:assert/strict";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { isAbsolute, join, relative } from "node:path";
import { test } from "node:test";
import { dataDirAt, makeWritable } from "./data-dir.ts";
import { tempFolder } from "./temp-data.fixture.ts";

test("everything of an estate lies in its folder, each thing at a place of its own", () => {
  const data = dataDirAt("some/where");
  const { root, log: _log, region: _region, ...named } = data;
  const eu = data.region("eu-west");
  const paths = [
    ...Object.values(named),
    data.log("gateway-eu-west"),
    eu.root,
    eu.snapshot,
    eu.audit,
    eu.index("handbook"),
    data.region("us-east").index("handbook"),
    eu.index("guidelines"),
    eu.lance("handbook"),
    eu.lanceLedger("handbook"),
  ];
  assert.ok(isAbsolute(root));
  for (const path of paths) {
    assert.ok(typeof path === "string");
    assert.doesNotMatch(relative(root, path), /^(\.\.|$)/, path);
  }
  assert.equal(new Set(paths).size, paths.length);
});

test("naming makes nothing", () => {
  const root = join(tempFolder(), "data");
  dataDirAt(root).region("eu-west").index("handbook");
  assert.equal(existsSync(root), false);
});

test("a folder is made with those above it, for its owner alone, and again without harm", () => {
  const folder = join(tempFolder(), "a", "b");
  makeWritable(folder);
  makeWritable(folder);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
});

test("a folder that cannot be is told by its path, with what to do", () => {
  const file = join(tempFolder(), "file");
  writeFileSync(file, "");
  assert.throws(() => makeWritable(join(file, "inside")), {
    code: "DISK_NOT_WRITABLE",
    message: `cannot write in ${join(file, "inside")}: ${file} is a file, not a folder`,
    next: /--data/,
  });
});
