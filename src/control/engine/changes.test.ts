import assert from "node:assert/strict";
import { test } from "node:test";
import type { Decision } from "../../model/decision.ts";
import type { Verdict } from "../../model/verdict.ts";
import { createChanges } from "./changes.ts";

test("a decision is news when its sentence changes, and not when only its figures do", () => {
  const changes = createChanges();
  changes.written([], [hold("cool-down: 12 s of 30 s are left, 3 attempts")]);
  assert.equal(changes.since([], [hold("cool-down: 850 ms of 30 s are left, 4 attempts")]), null);
  assert.notEqual(changes.since([], [hold("eu-west serves and is healthy")]), null);
});

test("figures in a region's name are no figures", () => {
  const changes = createChanges();
  changes.written([], [hold("eu-west-1 serves")]);
  assert.notEqual(changes.since([], [hold("eu-west-2 serves")]), null);
});

test("a verdict is news when its health changes; that nobody knows yet is none", () => {
  const changes = createChanges();
  assert.equal(changes.since([verdict("unknown", "nobody looked")], []), null);
  const write = changes.since([verdict("failed", "no answer")], []);
  assert.deepEqual(
    write?.facts.map(({ text }) => text),
    ["eu-west is failed: no answer"],
  );
  changes.written([verdict("failed", "no answer")], []);
  assert.equal(changes.since([verdict("failed", "no answer for longer")], []), null);
});

test("a new term says everything again", () => {
  const changes = createChanges();
  changes.written([], [hold("all is well")]);
  changes.forget();
  assert.notEqual(changes.since([], [hold("all is well")]), null);
});

function hold(because: string): Decision {
  return { kind: "hold", workflow: "w", domain: null, from: [], to: [], because, refused: [] };
}

function verdict(health: Verdict["health"], because: string): Verdict {
  return {
    domain: "region-outage",
    region: "eu-west",
    health,
    because,
    witnesses: [],
    failingForMs: 0,
  };
}
