import assert from "node:assert/strict";
import { it } from "node:test";
import { createSystemClock } from "../../adapters/clock-system/clock.ts";
import type { Acceptance } from "../../core/reconcile/acceptance.ts";
import { Accepting } from "./accepting.ts";

const clock = createSystemClock();
const passed: Acceptance = { pass: true, checks: [] };

it("goes on when nobody waits any longer, tells its result once, and then looks anew", async () => {
  const accepting = new Accepting();
  const ends: ((acceptance: Acceptance) => void)[] = [];
  const look = () => new Promise<Acceptance>((resolve) => void ends.push(resolve));
  assert.equal(await accepting.of("v2", look, { clock, waitMs: 1 }), null);
  assert.equal(await accepting.of("v2", look, { clock, waitMs: 1 }), null);
  assert.equal(ends.length, 1);
  ends[0]?.(passed);
  assert.equal(await accepting.of("v2", look, { clock, waitMs: 1_000 }), passed);
  assert.equal(await accepting.of("v2", look, { clock, waitMs: 1 }), null);
  assert.equal(ends.length, 2);
});

it("tells a failure once, and looks anew for another version", async () => {
  const accepting = new Accepting();
  const fails = () => Promise.reject(new Error("gone"));
  await assert.rejects(accepting.of("v2", fails, { clock, waitMs: 1_000 }), /gone/);
  const never = () => new Promise<Acceptance>(() => undefined);
  assert.equal(await accepting.of("v2", never, { clock, waitMs: 1 }), null);
  const told = await accepting.of("v3", async () => passed, { clock, waitMs: 1_000 });
  assert.equal(told, passed);
});
