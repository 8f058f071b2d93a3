import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { buildRelease } from "./build.ts";
import { diffReleases } from "./diff.ts";
import { diffLines } from "./diff-lines.ts";
import { POLICY, prompt, RELEASE, releaseWith, without, yaml } from "./files.fixture.ts";

const GOOD = releaseWith();

test("two releases that say the same do not differ", () => {
  assert.deepEqual(diffReleases(GOOD, releaseWith()), []);
});

test("what changed is told by file and field, down to the single value", () => {
  const after = releaseWith(
    yaml("release.yaml", {
      ...RELEASE,
      version: "1.1.0",
      contract: { engine: { name: "vllm", versions: ">=0.8" } },
    }),
    yaml("policies/house.yaml", { ...POLICY, tools: { allow: ["search"] } }),
    prompt("plain", "Be brief.\nBe kind.", { description: "Short." }),
  );
  assert.deepEqual(diffReleases(GOOD, after), [
    {
      path: "policies/house.yaml",
      change: "changed",
      fields: [{ field: "tools.allow[1]", before: "calendar" }],
      lines: [],
    },
    {
      path: "prompts/plain.md",
      change: "changed",
      fields: [{ field: "description", after: "Short." }],
      lines: [{ change: "added", line: 2, text: "Be kind." }],
    },
    {
      path: "release.yaml",
      change: "changed",
      fields: [
        { field: "contract.engine.name", after: "vllm" },
        { field: "contract.engine.versions", after: ">=0.8" },
        { field: "version", before: "1.0.0", after: "1.1.0" },
      ],
      lines: [],
    },
  ]);
});

test("a file that came or went is told whole", () => {
  const [gone] = diffReleases(GOOD, without("routes/support.yaml"));
  assert.deepEqual(gone, {
    path: "routes/support.yaml",
    change: "removed",
    fields: [
      { field: "prompt", before: "support" },
      { field: "workflow", before: "support" },
    ],
    lines: [],
  });
  const [come] = diffReleases(GOOD, releaseWith(prompt("new", "One.\nTwo.")));
  assert.equal(come?.change, "added");
  assert.deepEqual(
    come?.lines.map(({ text }) => text),
    ["One.", "Two."],
  );
});

test("there is a difference exactly where the digests differ", () => {
  const data = fc.record(
    {
      name: fc.constant("house"),
      tenants: fc.dictionary(
        fc.constantFrom("acme", "bolt"),
        fc.record({ maxOutputTokens: fc.integer({ min: 1, max: 2 }) }),
        { maxKeys: 2 },
      ),
    },
    { requiredKeys: ["name"] },
  );
  const release = fc
    .tuple(data, fc.constantFrom("A.", "A.\nB.", "B."))
    .map(([policy, text]) =>
      releaseWith(yaml("policies/house.yaml", policy), prompt("plain", text)),
    );
  fc.assert(
    fc.property(release, release, (a, b) => {
      const same = buildRelease(a.files).digest === buildRelease(b.files).digest;
      assert.equal(diffReleases(a, b).length === 0, same);
    }),
  );
});

test("the lines that are told turn one text into the other", () => {
  const text = fc
    .array(fc.constantFrom("a", "b", "c", ""), { maxLength: 12 })
    .map((lines) => lines.join("\n"));
  fc.assert(
    fc.property(text, text, (before, after) => {
      const changes = diffLines(before, after);
      const gone = new Set(
        changes.filter(({ change }) => change === "removed").map(({ line }) => line),
      );
      const come = new Map(
        changes.filter(({ change }) => change === "added").map(({ line, text }) => [line, text]),
      );
      const kept = before.split("\n").filter((_, at) => !gone.has(at + 1));
      const length = kept.length + come.size;
      const made = Array.from({ length }, (_, at) => come.get(at + 1) ?? kept.shift());
      assert.equal(made.join("\n"), after);
    }),
  );
});
