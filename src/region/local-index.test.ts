import assert from "node:assert/strict";
import { test } from "node:test";
import { embedded } from "../../test/support/agent-world.ts";
import { MemoryIndex } from "../sim/index.ts";
import { LocalIndex } from "./local-index.ts";

const OWNER = 4;

test("a copy that was level a moment ago lags by that moment, however long its source was silent", async () => {
  const store = new MemoryIndex();
  const own = await store.append(1, [embedded("a", 1_000)]);
  const local = new LocalIndex("handbook", store);
  local.sawOwner(own, 50_000);
  local.wasLevel(50_000, OWNER);
  assert.equal((await local.state(50_000)).lagMs, 0);
  local.sawOwner({ ...own, seq: own.seq + 1, sourceTime: 3_601_000 }, 50_500);
  assert.equal((await local.state(50_600)).lagMs, 500);
  assert.equal(local.levelForMs(50_500, OWNER), 500);
  // Level with a former owner is not level with this one.
  assert.equal(local.levelForMs(50_500, OWNER + 1), null);
});

test("a copy that was never level lags by all that the source has said", async () => {
  const store = new MemoryIndex();
  const own = await store.append(1, [embedded("a", 1_000)]);
  const local = new LocalIndex("handbook", store);
  local.sawOwner({ ...own, seq: own.seq + 1, sourceTime: 3_601_000 }, 50_500);
  assert.equal((await local.state(50_600)).lagMs, 3_600_000);
});

test("a copy that cannot be read says that, and nothing of its contents", async () => {
  const store = new MemoryIndex();
  const local = new LocalIndex("handbook", store);
  assert.equal((await local.state(0)).readable, true);
  store.spoil("the disk is gone");
  const state = await local.state(0);
  assert.deepEqual([state.readable, state.standing], [false, undefined]);
  assert.match(state.error ?? "", /the disk is gone/);
});
