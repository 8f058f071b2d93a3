import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { promisify } from "node:util";
import { createSystemClock } from "./clock.ts";

test("sleep does not end before its time", async () => {
  const clock = createSystemClock();
  for (const ms of [0, 0.3, 1, 7.5]) {
    const before = clock.monotonic();
    await clock.sleep(ms);
    assert.ok(clock.monotonic() - before >= ms, `slept less than ${ms} ms`);
  }
});

test("an abort ends a sleep of a year, and leaves no listener behind", async () => {
  const clock = createSystemClock();
  const abort = new AbortController();
  const asleep = clock.sleep(365 * 86_400_000, abort.signal);
  abort.abort();
  await asleep;
  assert.equal(getEventListeners(abort.signal, "abort").length, 0);
});

test("a sleep under a signal that has already aborted ends at once", async () => {
  await createSystemClock().sleep(365 * 86_400_000, AbortSignal.abort());
});

test("a sleep that ends by itself leaves no listener behind", async () => {
  const abort = new AbortController();
  await createSystemClock().sleep(1, abort.signal);
  assert.equal(getEventListeners(abort.signal, "abort").length, 0);
});

test("a sleep that is too long for one timer is not cut to nothing", async () => {
  const abort = new AbortController();
  let ended = false;
  const asleep = createSystemClock()
    .sleep(2 ** 40, abort.signal)
    .then(() => {
      ended = true;
    });
  // An overflowing timer fires after 1 ms, so it would be over before this one.
  await createSystemClock().sleep(20);
  assert.equal(ended, false);
  abort.abort();
  await asleep;
});

test("another process reads the same monotonic clock", async () => {
  const clock = createSystemClock();
  const url = new URL("./clock.ts", import.meta.url).href;
  const code = `import { createSystemClock } from ${JSON.stringify(url)}; console.log(createSystemClock().monotonic())`;
  const before = clock.monotonic();
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--input-type=module",
    "-e",
    code,
  ]);
  const theirs = Number(stdout);
  assert.ok(before < theirs && theirs < clock.monotonic(), `${before} < ${theirs}`);
});

test("now is the wall clock", () => {
  const before = Date.now();
  const now = createSystemClock().now();
  assert.ok(before <= now && now <= Date.now());
});

test("what runs after a while runs in its order, never early, and not when it was called off", async () => {
  const clock = createSystemClock();
  const began = clock.monotonic();
  const ran: [name: string, at: number][] = [];
  const all = [30, 5, 30, 12.5].map(
    (ms, i) =>
      new Promise<void>((resolve) => {
        clock.after(ms, () => {
          ran.push([`${ms}/${i}`, clock.monotonic() - began]);
          resolve();
        });
      }),
  );
  clock.after(8, () => ran.push(["called off", 0]))();
  await Promise.all(all);
  assert.deepEqual(
    ran.map(([name]) => name),
    ["5/1", "12.5/3", "30/0", "30/2"],
  );
  for (const [name, at] of ran) assert.ok(at >= Number.parseFloat(name), `${name} ran at ${at}`);
});

test("waits of one length are each called off alone, and what runs may wait again", async () => {
  const clock = createSystemClock();
  const ran: string[] = [];
  const callOff = ["a", "b", "c", "d"].map((name) => clock.after(10, () => ran.push(name)));
  callOff[1]?.();
  callOff[3]?.();
  callOff[3]?.();
  await new Promise<void>((resolve) => {
    clock.after(10, () => {
      ran.push("e");
      clock.after(10, resolve);
    });
  });
  assert.deepEqual(ran, ["a", "c", "e"]);
});

test("a wait that was called off does not hold the process, and one that was not does", async () => {
  const url = new URL("./clock.ts", import.meta.url).href;
  const code = `import { createSystemClock } from ${JSON.stringify(url)};
    const clock = createSystemClock();
    clock.after(600_000, () => console.log("too late"))();
    const again = clock.after(600_000, () => console.log("too late"));
    clock.after(20, () => { console.log("held"); again(); });`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module", "-e", code],
    { timeout: 60_000 },
  );
  assert.equal(stdout, "held\n");
});
