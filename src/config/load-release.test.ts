import assert from "node:assert/strict";
import { test } from "node:test";
import { partsOf } from "../core/release/build.ts";
import { bytesOf } from "../core/release/files.ts";
import { readParts } from "../core/release/read.ts";
import { sha256 } from "../lib/canonical.ts";
import { FaultsError } from "./faults.ts";
import { loadRelease, readRelease } from "./load-release.ts";
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
    'prompts/e.md:3:1 "mood" is not a key that can stand here; write one of name, description, variables',
    "prompts/f.md:1:2 is not UTF-8 text; save the file as UTF-8",
  ]);
});

const ROUTE = "workflow: support\nprompt: answer\nparameters: { temperature: 0.2 }\n";
const POLICY = `name: house
safety:
  - name: weapons
    phrases: [build a bomb]
tools: { allow: [search] }
tenants:
  acme: { requestsPerMinute: 6 }
`;
const WHOLE = {
  ...FILES,
  "routes/support.yaml": ROUTE,
  "policies/house.yaml": POLICY,
  "evaluation.yaml": "canary: { requests: 30 }\n",
};

test("routes, policies and the evaluation belong to the release, and to its digest", () => {
  using folder = tempFolder({ ...WHOLE, "routes/README.md": "x", "policies/old.yaml.bak": "x" });
  const { body, digest, built } = loadRelease(folder.path);
  assert.deepEqual(body.routes?.support?.parameters, { temperature: 0.2 });
  assert.deepEqual(body.policies?.house?.tools, { allow: ["search"] });
  assert.equal(body.evaluation?.canary?.requests, 30);
  assert.equal(digest, built.digest);
  assert.notEqual(digest, digestOf(FILES));
  assert.notEqual(digest, digestOf({ ...WHOLE, "policies/house.yaml": POLICY.replace("6", "7") }));
});

test("the digest is that of an OCI index, from which the same release is read", () => {
  using folder = tempFolder(WHOLE);
  const { body, digest, built } = loadRelease(folder.path);
  assert.equal(sha256(built.index), digest);
  assert.deepEqual(readParts(digest, partsOf(built)).body, body);
});

test("the files of a bundle, written back into a folder, are the same release", () => {
  using folder = tempFolder(WHOLE);
  const { digest, built } = loadRelease(folder.path);
  const files = built.files.map((file) => [file.path, bytesOf(file).toString("utf8")] as const);
  assert.equal(digestOf(Object.fromEntries(files)), digest);
});

test("comments, line ends, key order and quotes are no words of a release", () => {
  const turned = {
    "release.yaml": `# a note\n${RELEASE.trim().split("\n").toReversed().join("\r\n")}\r\n`,
    "prompts/answer.md": PROMPT.replaceAll("\n", "\r\n").replace(
      "name: answer",
      "'name': answer  # x",
    ),
    "routes/support.yaml": `parameters:\n  temperature: 0.20\n"prompt": answer\nworkflow: support\n`,
    "policies/house.yaml": `\uFEFF${POLICY.replace("[build a bomb]", "\n      - 'build a bomb'")}`,
    "evaluation.yaml": 'canary:\n  "requests": 30\n',
  };
  assert.equal(digestOf(turned), digestOf(WHOLE));
});

test("faults in routes, policies and the evaluation are told where they stand", () => {
  const faults = faultsOf({
    ...FILES,
    "routes/support.yaml": "workflow: suport\nparameters: { temprature: 1 }\n",
    "policies/house.yaml": "name: house\nsafety:\n  - name: weapons\n    phrases: []\n",
    "evaluation.yaml": "golden: { digest: x }\n",
  });
  assert.deepEqual(faults, [
    "routes/support.yaml:1:11 is not the name of its file, support.yaml; write support, or rename the file",
    'routes/support.yaml:2:15 "temprature" is not a key that can stand here; write temperature',
    "policies/house.yaml:4:14 is an empty list; write at least one",
    "evaluation.yaml:1:19 is no digest; write sha256: and 64 hexadecimal digits",
  ]);
});

test("what the lint finds is told by line and column, in the head and in the text", () => {
  const faults = faultsOf({
    ...FILES,
    "release.yaml": `${RELEASE}contract:\n  contextTokens: 110\n`,
    "prompts/answer.md":
      "---\nname: answer\nvariables:\n  tenant: documents\n---\n\nWe all are here to be of\nhelp to {{tenant}}.\n",
    "routes/support.yaml": ROUTE.replace("answer", "anser"),
  });
  assert.deepEqual(faults, [
    "prompts/answer.md:4:11 is not what tenant is; write text",
    "prompts/answer.md:8:6 here the prompt leaves its budget: about 15 tokens, and 10 are allowed (contract.contextTokens less policy.maxOutputTokens); shorten it, or serve it with a longer context",
    "routes/support.yaml:2:9 is not a prompt of this release; write one of answer, or add prompts/anser.md",
  ]);
});

test("a blanked policy is refused beside the last good release, unless a person means it", () => {
  using good = tempFolder(WHOLE);
  using bad = tempFolder({
    ...WHOLE,
    "policies/house.yaml": "name: house\ntools: { allow: [] }\n",
  });
  const lastGood = loadRelease(good.path).built;
  const read = readRelease(bad.path, { lastGood });
  assert.ok(!read.ok);
  assert.deepEqual(
    read.faults.map(({ line, column, path }) => [line, column, path]),
    [
      [1, 1, "safety"],
      [1, 1, "tenants"],
      [2, 17, "tools.allow"],
    ],
  );
  assert.equal(readRelease(bad.path, { lastGood, acceptChanges: true }).ok, true);
});

test("an empty folder lacks both its file and its prompts", () => {
  const [file = "", prompts = ""] = faultsOf({});
  assert.match(file, /^release\.yaml:1:1 there is no such file; look at /);
  assert.match(prompts, /^prompts:1:1 holds no prompts; /);
});
