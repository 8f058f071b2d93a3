import assert from "node:assert/strict";
import { test } from "node:test";
import type { Trouble } from "../../model/trouble.ts";
import { doubt } from "./doubt.ts";
import { IndexHealth } from "./health.ts";

const REFUSED: Trouble = {
  target: "index:handbook",
  region: "eu-west",
  domain: "index-corruption",
  standing: "failing",
  sinceMs: 9_000,
  seenAgoMs: 1_000,
  ejections: 0,
  because: "record leave is not what was written",
};

/** Whether the copy is doubted, when its last whole look ended so long ago. */
function doubted(wholeAgoMs: number | null, over: Partial<Trouble> = {}): boolean {
  const health = new IndexHealth();
  if (wholeAgoMs !== null) health.finishPass(50_000 - wholeAgoMs);
  doubt(new Map([["handbook", { health }]]), [{ ...REFUSED, ...over }], 50_000);
  return health.doubted;
}

test("a copy that refused its gateway is doubted until it was looked at as a whole", () => {
  assert.equal(doubted(null), true);
  assert.equal(doubted(5_000), true);
  assert.equal(doubted(500), false);
});

test("what another index, a target or a quarantine says raises no doubt", () => {
  assert.equal(doubted(null, { target: "index:prices" }), false);
  assert.equal(doubted(null, { target: "gpu-1", domain: "capacity-loss" }), false);
  assert.equal(doubted(null, { standing: "out" }), false);
});
