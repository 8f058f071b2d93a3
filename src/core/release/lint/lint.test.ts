import assert from "node:assert/strict";
import { test } from "node:test";
import { POLICY, prompt, RELEASE, releaseWith, without, yaml } from "../files.fixture.ts";
import type { ReadRelease } from "../files.ts";
import { estimateTokens } from "./context-budget.ts";
import { lintRelease } from "./lint.ts";
import type { LintInput } from "./rule.ts";

const GOOD = releaseWith();

function found(release: ReadRelease, about: Partial<LintInput> = {}): string[] {
  return lintRelease({ release, lastGood: null, indexes: null, ...about }).map(
    ({ file, at, message, instead, unlikely }) =>
      `${file}@${"offset" in at ? at.offset : at.join(".")} ${message}; ${instead}${unlikely ? " (unlikely)" : ""}`,
  );
}

test("a sound release has nothing wrong with it, also beside its like", () => {
  assert.deepEqual(found(GOOD), []);
  const indexes = new Map([["handbook", [["lexical"], ["lexical"]]]]);
  assert.deepEqual(found(GOOD, { lastGood: GOOD, indexes }), []);
});

test("declared variables are those that the text uses, each as what it is", () => {
  const declaring = (variables: object, text: string): string[] =>
    found(releaseWith(prompt("support", text, { variables })));
  assert.deepEqual(
    declaring({ tenant: "text", documents: "documents" }, "For {{tenant}}:\n\n{{documents}}"),
    [],
  );
  assert.deepEqual(declaring({ tenant: "text", workflow: "text" }, "Hello {{tenant}}."), [
    "prompts/support.md@variables.workflow is declared, but the text does not use it; write {{workflow}}, or remove it",
  ]);
  assert.deepEqual(declaring({ tenant: "documents", mood: "text" }, "Hello {{tenant}}."), [
    "prompts/support.md@variables.tenant is not what tenant is; write text",
    "prompts/support.md@variables.mood is not a variable that the gateway fills in; use one of tenant, workflow, documents",
  ]);
  assert.deepEqual(declaring({}, "Hello {{tenant}}."), [
    "prompts/support.md@6 {{tenant}} is not among the declared variables; add tenant: text to variables: in the head",
  ]);
  assert.deepEqual(declaring({ documents: "documents" }, "Say\nfrom {{documents}} this."), [
    "prompts/support.md@9 {{documents}} stands for whole blocks, but stands within a line; give it a line of its own",
  ]);
});

test("a prompt that declares no variables is judged by no declaration", () => {
  assert.deepEqual(found(releaseWith(prompt("support", "From {{documents}} say it."))), []);
});

const contract = (parts: object) => yaml("release.yaml", { ...RELEASE, contract: parts });

test("a prompt over the context that is left beside its answer is refused where it leaves it", () => {
  const text = "é".repeat(50);
  const of = (parts: object): string[] =>
    found(releaseWith(contract(parts), prompt("plain", text)));
  assert.equal(estimateTokens(text, 3), 34);
  assert.deepEqual(of({ contextTokens: 134 }), []);
  assert.deepEqual(of({ contextTokens: 133 }), [
    "prompts/plain.md@49 here the prompt leaves its budget: about 34 tokens, and 33 are allowed (contract.contextTokens less policy.maxOutputTokens); shorten it, or serve it with a longer context",
  ]);
  assert.deepEqual(of({ contextTokens: 133, bytesPerToken: 4 }), []);
  assert.deepEqual(of({ promptTokens: 20, contextTokens: 4_000 }), [
    "prompts/plain.md@30 here the prompt leaves its budget: about 34 tokens, and 20 are allowed (contract.promptTokens); shorten it, or serve it with a longer context",
  ]);
  assert.equal(of({ promptTokens: 50, contextTokens: 90 }).length, 2, "no room for any prompt");
  assert.deepEqual(of({}), [], "nothing is said of a context");
});

test("a text, an entry or a filter that stands there twice is refused", () => {
  const text = "Be brief.\nSay where it stands.\n";
  assert.deepEqual(found(releaseWith(prompt("plain", `${text}\n${text}`.trim()))), [
    "prompts/plain.md@32 from here on, the text repeats itself to its end; remove one of the two copies",
  ]);
  assert.deepEqual(found(releaseWith(prompt("plain", `${text}${text}More.`))), []);
  const policy = {
    ...POLICY,
    safety: [...POLICY.safety, { name: "weapons", phrases: ["rocket", "rocket"] }],
    tools: { allow: ["search", "   ", "search"] },
  };
  assert.deepEqual(found(releaseWith(yaml("policies/house.yaml", policy))), [
    "policies/house.yaml@safety.1 stands here a second time: it is entry 1 already; remove one of the two",
    "policies/house.yaml@safety.1.phrases.1 stands here a second time: it is entry 1 already; remove one of the two",
    "policies/house.yaml@tools.allow.2 stands here a second time: it is entry 1 already; remove one of the two",
    "policies/house.yaml@tools.allow.1 is blank; write what is meant, or remove the entry",
  ]);
});

test("a route names a prompt of its own release", () => {
  assert.deepEqual(
    found(releaseWith(yaml("routes/support.yaml", { workflow: "support", prompt: "gone" }))),
    [
      "routes/support.yaml@prompt is not a prompt of this release; write one of plain, support, or add prompts/gone.md",
    ],
  );
});

test("an embedding version that an index does not have is refused, an empty index is not", () => {
  const generation = yaml("release.yaml", {
    ...RELEASE,
    embedding: { ...RELEASE.embedding, generation: "2026-02" },
  });
  const indexes = new Map([
    ["both", [["lexical", "lexical@2026-02"], ["lexical@2026-02"]]],
    ["empty", []],
    ["handbook", [["lexical"]]],
    ["mixed", [[]]],
    ["news", [["lexical@2026-02"], ["other"]]],
  ]);
  assert.deepEqual(found(releaseWith(generation), { indexes }), [
    "release.yaml@embedding.generation gives the embedding version lexical@2026-02, which index handbook does not have: it holds lexical; name a version that the index holds, or run `tideover index reindex --release` with this release first",
    "release.yaml@embedding.generation gives the embedding version lexical@2026-02, which index mixed does not have: it holds none as a whole; name a version that the index holds, or run `tideover index reindex --release` with this release first",
    "release.yaml@embedding.generation gives the embedding version lexical@2026-02, which index news does not have: it holds lexical@2026-02 and other; name a version that the index holds, or run `tideover index reindex --release` with this release first",
  ]);
});

const phrases = (count: number) => ({
  ...POLICY,
  safety: [{ name: "weapons", phrases: Array.from({ length: count }, (_, at) => `phrase ${at}`) }],
});
const policy = (data: unknown) => releaseWith(yaml("policies/house.yaml", data));

test("a file that doubled or shrank to half since the last good release needs a person's word", () => {
  const small = policy(phrases(200));
  const large = policy(phrases(420));
  const [grown = ""] = found(large, { lastGood: small });
  assert.match(
    grown,
    /^policies\/house\.yaml@ has doubled or more: [\d,]+ bytes, [\d,]+ in the last good release; put it right, .*--accept-changes \(unlikely\)$/,
  );
  assert.match(found(small, { lastGood: large })[0] ?? "", /has shrunk to half or less/);
  assert.deepEqual(found(policy(phrases(300)), { lastGood: small }), []);
  assert.deepEqual(found(policy(phrases(8)), { lastGood: policy(phrases(2)) }), [], "short files");
});

test("a policy whose fields went blank, or that is gone, needs a person's word", () => {
  const blanked = { name: "house", workflows: ["support"], tools: { allow: [] }, tenants: {} };
  assert.deepEqual(
    found(policy(blanked), { lastGood: GOOD }).map((one) => one.split(";")[0]),
    [
      "policies/house.yaml@safety is gone, and had content in the last good release",
      "policies/house.yaml@tools.allow is empty, and had content in the last good release",
      "policies/house.yaml@tenants is empty, and had content in the last good release",
    ],
  );
  assert.deepEqual(found(without("policies/house.yaml"), { lastGood: GOOD }), [
    "policies/house.yaml@ is gone: what the last good release refused would be let through; put it right, or say that it is meant: --accept-changes (unlikely)",
  ]);
  assert.deepEqual(found(GOOD, { lastGood: without("policies/house.yaml") }), []);
});
