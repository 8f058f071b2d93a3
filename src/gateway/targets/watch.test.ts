import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { handClock, realClock } from "../../../test/support/gateway-world.ts";
import { Watch } from "./watch.ts";

const STALL_MS = 5_000;

describe("the watch over an answer that began", () => {
  function begun() {
    const clock = handClock();
    const stalls: string[] = [];
    const watch = new Watch(clock, STALL_MS, ({ message }) => stalls.push(message));
    /** The hands move in small steps, and whoever wakes runs in between. */
    const pass = async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += 500) {
        clock.forward(500);
        await realClock.sleep(0);
      }
    };
    watch.begin();
    return { watch, stalls, pass };
  }

  it("says of one that is silent for longer than the bound that it stalled, once", async () => {
    const { stalls, pass } = begun();
    await pass(STALL_MS - 500);
    assert.deepEqual(stalls, []);
    await pass(60_000);
    assert.deepEqual(stalls, ["it stalled: nothing for 5000 ms"]);
  });

  it("lets one go on whose events come in time, for ever", async () => {
    const { watch, stalls, pass } = begun();
    for (let i = 0; i < 10; i++) {
      await pass(4_000);
      watch.progress();
    }
    assert.deepEqual(stalls, []);
    assert.equal(watch.longestMs, 4_000);
    watch.end();
  });

  it("does not blame the upstream for a caller that reads slowly", async () => {
    const { watch, stalls, pass } = begun();
    watch.progress();
    await pass(1_000);
    watch.pause();
    await pass(60_000);
    assert.deepEqual(stalls, []);
    watch.resume();
    await pass(STALL_MS - 1_500);
    assert.deepEqual(stalls, []);
    await pass(1_000);
    assert.equal(stalls.length, 1);
  });

  it("does nothing after the end, and none begins after it", async () => {
    const { watch, stalls, pass } = begun();
    watch.end();
    watch.begin();
    await pass(60_000);
    assert.deepEqual(stalls, []);
  });

  it("does nothing before the beginning", async () => {
    const clock = handClock();
    const stalls: string[] = [];
    const watch = new Watch(clock, STALL_MS, ({ message }) => stalls.push(message));
    watch.progress();
    clock.forward(60_000);
    await realClock.sleep(0);
    assert.deepEqual(stalls, []);
    assert.equal(watch.longestMs, 0);
  });
});
