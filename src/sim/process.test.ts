import assert from "node:assert/strict";
import { test } from "node:test";
import { SimClock } from "./clock.ts";
import { SimProcess } from "./process.ts";

test("a stopped process's clock stands still, and its calls wait until it goes on", async () => {
  const sim = new SimClock();
  const process = new SimProcess(sim, 5_000);
  const port = process.through("port", { ask: async () => "answer" });
  process.stop();
  let answer: string | null = null;
  void port.ask().then((given) => {
    answer = given;
  });
  await sim.advance(10_000);
  assert.equal(answer, null);
  assert.equal(process.clock.monotonic(), 5_000);
  process.resume();
  await sim.advance(1);
  assert.equal(answer, "answer");
  assert.equal(process.clock.monotonic(), 5_001);
});

test("a killed process never hears of what it did last", async () => {
  const sim = new SimClock();
  const process = new SimProcess(sim, 0);
  let done = 0;
  const port = process.through("port", {
    act: async () => {
      done += 1;
    },
  });
  process.onCall = (_, __, when) => {
    if (when === "after") process.kill();
  };
  let heard = false;
  void port.act().then(() => {
    heard = true;
  });
  await sim.advance(1_000);
  assert.equal(done, 1);
  assert.equal(heard, false);
});
