import assert from "node:assert/strict";
import { test } from "node:test";
import { TideoverError } from "../lib/errors.ts";
import { SimClock } from "../sim/clock.ts";
import { until } from "./wait.ts";

/** Runs `until` in virtual time. The answers come in this order, the last one for ever. */
function wait(answers: readonly (() => Promise<string | null>)[], signal?: AbortSignal) {
  const clock = new SimClock();
  let asked = 0;
  const ask = () => {
    asked += 1;
    return (answers[Math.min(asked, answers.length) - 1] ?? nothing)();
  };
  const options = { clock, timeoutMs: 2_000, signal: signal ?? new AbortController().signal };
  return { clock, asked: () => asked, result: clock.run(until("rain", ask, options), 60_000) };
}

const nothing = async () => null;
const fails = (message: string) => () => Promise.reject(new Error(message));

test("gives the first answer that is there, at once when it is", async () => {
  const at = async (...answers: (() => Promise<string | null>)[]) => {
    const { clock, result } = wait(answers);
    return [await result, clock.monotonic()];
  };
  assert.deepEqual(await at(async () => "rain"), ["rain", 0]);
  assert.deepEqual(await at(nothing, nothing, async () => "rain"), ["rain", 200]);
  assert.deepEqual(await at(async () => ""), ["", 0], "an empty answer is one");
});

test("an error is an answer that is not there yet", async () => {
  const later = new TideoverError("busy", { code: "STORE_UNAVAILABLE", retry: "later" });
  const { result } = wait([
    fails("connection refused"),
    () => Promise.reject(later),
    async () => "rain",
  ]);
  assert.equal(await result, "rain");
});

test("an error that no retry can help is passed on as it is, and nobody asks again", async () => {
  const never = new TideoverError("no such workflow", { code: "NOT_FOUND" });
  const { asked, result } = wait([nothing, () => Promise.reject(never)]);
  await assert.rejects(result, (error) => error === never);
  assert.equal(asked(), 2);
});

test("when the time is over it says for what it waited, how long, and the last reason", async () => {
  const { asked, result, clock } = wait([fails("no leader"), fails("us-east: it lags")]);
  await assert.rejects(result, {
    code: "DRILL_REFUSED",
    message: "waited 2 s in vain for rain (us-east: it lags)",
    next: "`tideover status` says what the estate is waiting for.",
  });
  assert.deepEqual([asked(), clock.monotonic()], [20, 2_000]);
});

test("without a reason there is none to tell", async () => {
  await assert.rejects(wait([nothing]).result, { message: "waited 2 s in vain for rain" });
});

test("an interrupt ends it in the middle of a pause", async () => {
  const stop = new AbortController();
  const { asked, result, clock } = wait(
    [
      async () => {
        queueMicrotask(() => stop.abort());
        return null;
      },
    ],
    stop.signal,
  );
  await assert.rejects(result, {
    code: "INTERRUPTED",
    message: "interrupted while waiting for rain",
  });
  assert.deepEqual([asked(), clock.monotonic()], [1, 0]);
});

test("after an interrupt nobody is asked at all", async () => {
  const { asked, result } = wait([async () => "rain"], AbortSignal.abort());
  await assert.rejects(result, { code: "INTERRUPTED" });
  assert.equal(asked(), 0);
});
