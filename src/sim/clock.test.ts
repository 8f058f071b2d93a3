import assert from "node:assert/strict";
import { test } from "node:test";
import { SimClock } from "./clock.ts";

test("sleepers wake in the order of their times, equal ones in the order they lay down", async () => {
  const clock = new SimClock();
  const woken: string[] = [];
  const sleeper = async (name: string, ms: number) => {
    await clock.sleep(ms);
    woken.push(`${name}@${clock.monotonic()}`);
  };
  const all = [sleeper("c", 30), sleeper("a", 10), sleeper("a2", 10), sleeper("b", 20)];
  await clock.advance(9);
  assert.deepEqual(woken, []);
  await clock.advance(21);
  await Promise.all(all);
  assert.deepEqual(woken, ["a@10", "a2@10", "b@20", "c@30"]);
  assert.equal(clock.monotonic(), 30);
});

test("what a wake-up sets off runs to its next wait before the time moves on", async () => {
  const clock = new SimClock();
  const seen: number[] = [];
  const loop = (async () => {
    for (let n = 0; n < 5; n++) {
      await clock.sleep(10);
      for (let hop = 0; hop < 50; hop++) await undefined;
      seen.push(clock.monotonic());
    }
  })();
  await clock.advance(1_000);
  await loop;
  assert.deepEqual(seen, [10, 20, 30, 40, 50]);
});

test("the wall clock jumps alone, and no sleeper notices", async () => {
  const clock = new SimClock(1_000);
  let awake = false;
  const asleep = clock.sleep(100).then(() => {
    awake = true;
  });
  clock.jumpWall(1_000_000);
  await clock.settle();
  assert.deepEqual([clock.now(), clock.monotonic(), awake], [1_001_000, 0, false]);
  clock.jumpWall(-2_000_000);
  await clock.advance(100);
  await asleep;
  assert.deepEqual([clock.now(), clock.monotonic()], [-998_900, 100]);
});

test("an abort wakes its sleeper at once, and a signal that has aborted lets nobody sleep", async () => {
  const clock = new SimClock();
  const abort = new AbortController();
  const asleep = clock.sleep(100, abort.signal);
  assert.equal(clock.sleeping, 1);
  abort.abort();
  await asleep;
  await clock.sleep(100, abort.signal);
  assert.deepEqual([clock.sleeping, clock.monotonic()], [0, 0]);
});

test("run lets just enough time pass for the work, and gives its value or its error", async () => {
  const clock = new SimClock();
  assert.equal(
    await clock.run(
      clock.sleep(250).then(() => "done"),
      1_000,
    ),
    "done",
  );
  assert.equal(clock.monotonic(), 250);
  const failing = clock.sleep(10).then(() => Promise.reject(new Error("its own")));
  await assert.rejects(clock.run(failing, 1_000), /its own/);
});

test("run says why it cannot go on", async () => {
  const clock = new SimClock();
  await assert.rejects(clock.run(new Promise(() => undefined), 1_000), /nobody is asleep/);
  await assert.rejects(clock.run(clock.sleep(2_000), 1_000), /not done within 1000 ms/);
});
