import assert from "node:assert/strict";
import { test } from "node:test";
import { Slots } from "./queue.ts";

const never = new AbortController().signal;

test("the waiting ones enter in the order they came", async () => {
  const slots = new Slots(1);
  const order: string[] = [];
  assert.equal(await slots.acquire(never), true);
  const first = slots.acquire(never).then(() => order.push("first"));
  const second = slots.acquire(never).then(() => order.push("second"));
  assert.deepEqual([slots.running, slots.waiting], [1, 2]);
  slots.release();
  await first;
  slots.release();
  await second;
  assert.deepEqual(order, ["first", "second"]);
  slots.release();
  assert.deepEqual([slots.running, slots.waiting], [0, 0]);
});

test("who hangs up while waiting leaves the queue and gets no slot", async () => {
  const slots = new Slots(1);
  await slots.acquire(never);
  const caller = new AbortController();
  const waiting = slots.acquire(caller.signal);
  const behind = slots.acquire(never);
  caller.abort();
  assert.equal(await waiting, false);
  assert.equal(slots.waiting, 1);
  slots.release();
  assert.equal(await behind, true);
  assert.equal(await slots.acquire(caller.signal), false);
});
