import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { judgeSpecText } from "./load-spec.ts";
import { specWithPorts } from "./spec-ports.ts";

const demo = readFileSync(new URL("../../examples/estate/tideover.yaml", import.meta.url), "utf8");

test("every port of the demo estate is rewritten, and nothing else", () => {
  const asked: number[] = [];
  const moved = specWithPorts(demo, (old) => {
    asked.push(old);
    return old + 10_000;
  });
  assert.deepEqual(asked, [7100, 7110, 7111, 7112, 7120, 7121, 7122]);
  assert.equal(moved, demo.replace(/127\.0\.0\.1:7/g, "127.0.0.1:17"));
  assert.equal(judgeSpecText(moved, "x.yaml", { files: "ignored" }).ok, true);
});

test("shorter and longer ports do not disturb each other", () => {
  const text = "controllers: [127.0.0.1:7100, 'localhost:80'] # 127.0.0.1:7100\n";
  const ports = new Map([
    [7100, 1],
    [80, 54321],
  ]);
  assert.equal(
    specWithPorts(text, (old) => ports.get(old) ?? 0),
    "controllers: [127.0.0.1:1, 'localhost:54321'] # 127.0.0.1:7100\n",
  );
});

test("one old port is asked for once; other hosts and other people's servers keep theirs", () => {
  const text = `
controllers: [10.0.0.1:7100]
regions:
  a:
    gateway: 127.0.0.1:7110
    components:
      runtime:
        targets:
          - { url: "http://127.0.0.1:8000" }
          - { url: "http://127.0.0.1:7110", reference: { modelDigest: x } }
`;
  const asked: number[] = [];
  const moved = specWithPorts(text, (old) => {
    asked.push(old);
    return 9;
  });
  assert.deepEqual(asked, [7110]);
  assert.equal(moved, text.replaceAll(":7110", ":9"));
});

test("text that is no YAML, or no spec, comes back as it was", () => {
  const never = (): number => assert.fail("no port was there");
  for (const text of ["", "a: [", "- 127.0.0.1:1", "regions: 5\ncontrollers: {}\n"])
    assert.equal(specWithPorts(text, never), text);
});
