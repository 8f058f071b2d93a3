import assert from "node:assert/strict";
import { test } from "node:test";
import { TideoverError } from "../../lib/errors.ts";
import { SimClock } from "../../sim/clock.ts";
import { type Attempt, attemptUntil } from "./attempt.ts";
import { leaseLost, stepFailed } from "./errors.ts";

const halt = new AbortController().signal;

test("a passing fault is tried again until it succeeds", async () => {
  let tries = 0;
  const outcome = await run(async () => {
    tries += 1;
    if (tries < 4) throw stepFailed("not yet", "later");
    return "at last";
  });
  assert.deepEqual(outcome, { kind: "proven", value: "at last" });
  assert.equal(tries, 4);
});

test("a final fault is not tried again", async () => {
  let tries = 0;
  const outcome = await run(async () => {
    tries += 1;
    throw stepFailed("epoch 3 is another's", "never");
  });
  assert.deepEqual(outcome, { kind: "broken", because: "epoch 3 is another's" });
  assert.equal(tries, 1);
});

test("when the time is over, the last reason is told", async () => {
  const outcome = await run(async () => {
    throw stepFailed("us-east is not ready", "later");
  });
  assert.deepEqual(outcome, {
    kind: "broken",
    because: "us-east is not ready (tried for 5.0 s)",
  });
});

test("a port that never answers does not hold the step, and its late writes are known as late", async () => {
  const attempts: Attempt[] = [];
  const outcome = await run((attempt) => {
    attempts.push(attempt);
    return new Promise<string>(() => undefined);
  });
  assert.equal(outcome.kind, "broken");
  assert.deepEqual(
    attempts.map((attempt) => attempt.live()),
    [false],
  );
});

test("a lost lease or an absent store says nothing about the step: it is thrown on", async () => {
  const away = new TideoverError("away", { code: "STORE_UNAVAILABLE", retry: "later" });
  for (const error of [leaseLost("c2 leads"), away]) {
    await assert.rejects(
      run(async () => {
        throw error;
      }),
      error,
    );
  }
});

test("a halt ends the waiting between two attempts", async () => {
  const stop = new AbortController();
  const clock = new SimClock();
  const work = attemptUntil({
    clock,
    deadlineMs: 60_000,
    halt: stop.signal,
    work: async (): Promise<string> => {
      stop.abort();
      throw stepFailed("not yet", "later");
    },
  });
  assert.deepEqual(await work, { kind: "halted" });
  assert.equal(clock.monotonic(), 0);
});

function run(work: (attempt: Attempt) => Promise<string>) {
  const clock = new SimClock();
  return clock.run(attemptUntil({ clock, deadlineMs: 5_000, halt, work }), 60_000);
}
