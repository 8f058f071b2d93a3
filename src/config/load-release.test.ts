import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "../lib/canonical.ts";
import { FaultsError } from "./faults.ts";
import { loadRelease } from "./load-release.ts";
import { tempFolder } from "./temp-folder.fixture.ts";

const RELEASE = `name: small
version: "1"
model: { id: m, digest: "sha256:00000000", fingerprint: "0123456789abcdef" }
policy: { requestsPerMinute: 60, maxOutputTokens: 100 }
`;
const PROMPT = "---\nname: answer\n---\n\nYou work for {{tenant}}.\nBe brief.\n";
const FILES = { "release.yaml": RELEASE, "prompts/answer.md": PROMPT };

function faultsOf(files: Record<string, string | Uint8Array>): string[] {
  using folder = tempFolder(files);
  try {
    loadRelease(folder.path);
  } catch (error) {
    assert.ok(error instanceof FaultsError && error.code === "RELEASE_INVALID", String(error));
    return error.faults.map(
      ({ file, line, column, message, instead }) =>
        `${file.slice(folder.path.length + 1)}:${line}:${column} ${message}; ${instead}`,
    );
  }
  return [];
}

const digestOf = (files: Record<string, string>): string => {
  using folder = tempFolder(files);
  return loadRelease(folder.path).digest;
};

test("a release is its file and its prompts, whole and frozen", () => {
  using folder = tempFolder(FILES);
  const { body, digest } = loadRelease(folder.path);
  const system = "You work for {{tenant}}.\nBe brief.";
  assert.deepEqual(body.prompts, { answer: { system, version: sha256(system) } });
  assert.equal(body.model.id, "m");
  assert.match(digest, /^sha256:[0-9a-f]{64}$/);
  assert.ok(Object.isFrozen(body.prompts.answer));
});

test("the digest says what the files say, not how they were stored", () => {
  const digest = digestOf(FILES);
  assert.equal(digestOf(FILES), digest);
  const windows = Object.fromEntries(
    Object.entries(FILES).map(([name, text]) => [name, text.replaceAll("\n", "\r\n")]),
  );
  assert.equal(digestOf(windows), digest);
  const reordered = RELEASE.trim().split("\n").toReversed().join("\n");
  assert.equal(digestOf({ ...FILES, "release.yaml": reordered, "README.md": "x" }), digest);
});

test("any other word is another digest", () => {
  const digest = digestOf(FILES);
  assert.notEqual(
    digestOf({ ...FILES, "prompts/answer.md": PROMPT.replace("brief", "long") }),
    digest,
  );
  assert.notEqual(digestOf({ ...FILES, "release.yaml": RELEASE.replace('"1"', '"2"') }), digest);
});

test("variables that nobody fills in are refused where they stand", () => {
  const body =
    "---\nname: answer\n---\n\nHi {{tenent}},\nask {{ workflow }}\n  or {{nobody}} {{tenant\n";
  assert.deepEqual(faultsOf({ ...FILES, "prompts/answer.md": body }), [
    "prompts/answer.md:5:4 {{tenent}} is not a variable that the gateway fills in; write {{tenant}}",
    "prompts/answer.md:6:5 {{ workflow }} is not a variable that the gateway fills in; write {{workflow}}",
    "prompts/answer.md:7:6 {{nobody}} is not a variable that the gateway fills in; use one of {{tenant}}, {{workflow}}, {{documents}}",
    "prompts/answer.md:7:17 {{tenant is not closed by }}; write {{tenant}}",
  ]);
});

test("a name that every object has is no variable", () => {
  const body = "---\nname: answer\n---\n{{constructor}}\n";
  assert.equal(faultsOf({ ...FILES, "prompts/answer.md": body }).length, 1);
});

test("all faults of all files come at once", () => {
  const faults = faultsOf({
    "release.yaml": RELEASE.replace('version: "1"', "version: 1").replace("policy", "polcy"),
    "prompts/a.md": "no head",
    "prompts/b.md": "---\nname: c\n---\nText.\n",
    "prompts/d.md": "---\nname: d\n---\n  \n",
    "prompts/e.md": "---\nname: e\nmood: good\n---\nText.\n",
    "prompts/f.md": new Uint8Array([0x2d, 0xff]),
  });
  assert.deepEqual(faults, [
    'release.yaml:2:10 is no text; write it in quotes, such as "1.0.0"',
    'release.yaml:4:1 "polcy" is not a key that can stand here; write policy',
    "prompts/a.md:1:1 does not start with a head between two lines of ---; write ---, then keys such as `name: …`, then ---, then the text",
    "prompts/b.md:2:7 is not the name of its file, b.md; write b, or rename the file",
    "prompts/d.md:4:3 this prompt has no text; write it below the head",
    'prompts/e.md:3:1 "mood" is not a key that can stand here; write one of name, description',
    "prompts/f.md:1:2 is not UTF-8 text; save the file as UTF-8",
  ]);
});

test("an empty folder lacks both its file and its prompts", () => {
  const [file = "", prompts = ""] = faultsOf({});
  assert.match(file, /^release\.yaml:1:1 there is no such file; look at /);
  assert.match(prompts, /^prompts:1:1 holds no prompts; /);
});
