import assert from "node:assert/strict";
import { test } from "node:test";
import type { GoldenSet } from "../model/golden.ts";
import { simSpec } from "../sim/estate.ts";
import { questionsOf } from "./questions.ts";

const KEY = `sha256:${"a".repeat(64)}`;

function specOf(...workflows: string[]) {
  const spec = simSpec({ workflows: Object.fromEntries(workflows.map((name) => [name, {}])) });
  return { ...spec, tenants: { acme: { keys: [KEY] }, bolt: { keys: [KEY] } } };
}

function golden(...ids: string[]): GoldenSet {
  const questions = ids.map((id) => ({
    id,
    tenant: "acme",
    question: `What is ${id}?`,
    documents: ["d"],
    answer: `it is ${id}`,
  }));
  return { questions, canaries: [] };
}

test("workflows take turns, the shorter ones over and over, so that a short load touches all", () => {
  const sets = new Map([
    ["rag", golden("one", "two", "three")],
    ["assistant", golden("four")],
  ]);
  const asked = questionsOf(specOf("rag", "plain", "assistant"), sets);
  assert.deepEqual(
    asked.map(({ workflow, tenant, expected }) => `${workflow} ${tenant} ${expected}`),
    [
      "rag acme it is one",
      "plain acme null",
      "assistant acme it is four",
      "rag acme it is two",
      "plain bolt null",
      "assistant acme it is four",
      "rag acme it is three",
      "plain acme null",
      "assistant acme it is four",
    ],
  );
});

test("a golden question is asked by its own tenant, in its own words, with its own answer", () => {
  const set = golden("one");
  const [first] = set.questions;
  assert.ok(first);
  const questions = [{ ...first, tenant: "bolt" }];
  assert.deepEqual(questionsOf(specOf("rag"), new Map([["rag", { ...set, questions }]])), [
    { tenant: "bolt", workflow: "rag", text: "What is one?", expected: "it is one" },
  ]);
});

test("a workflow without golden questions is asked plain text, once by each tenant", () => {
  const asked = questionsOf(specOf("plain"), new Map());
  assert.deepEqual(
    asked.map(({ tenant, expected }) => [tenant, expected]),
    [
      ["acme", null],
      ["bolt", null],
    ],
  );
  assert.ok(asked.every(({ text }) => text.length > 20));
});

test("golden questions of a workflow that the spec does not have are not asked", () => {
  const asked = questionsOf(specOf("plain"), new Map([["gone", golden("one")]]));
  assert.deepEqual([...new Set(asked.map(({ workflow }) => workflow))], ["plain"]);
});

test("an estate without tenants has nothing to ask", () => {
  assert.deepEqual(questionsOf({ ...specOf("plain"), tenants: {} }, new Map()), []);
});
