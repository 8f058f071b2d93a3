import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { handClock, realClock } from "../../../test/support/gateway-world.ts";
import { Watch, watched } from "./watch.ts";

const STALL_MS = 5_000;

describe("the watch over an answer that began", () => {
  function begun() {
    const clock = handClock();
    const cut = new AbortController();
    const watch = new Watch(clock, cut, STALL_MS);
    /** The hands move in small steps, and whoever wakes runs in between. */
    const pass = async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += 500) {
        clock.forward(500);
        await realClock.sleep(0);
      }
    };
    watch.waiting();
    watch.begin();
    return { watch, cut, pass };
  }

  it("cuts one that is silent for longer than the bound, and says so", async () => {
    const { cut, pass } = begun();
    await pass(STALL_MS - 500);
    assert.equal(cut.signal.aborted, false);
    await pass(500);
    assert.match(String(cut.signal.reason), /it stalled: nothing for 5000 ms/);
  });

  it("lets one go on whose events come in time, for ever", async () => {
    const { watch, cut, pass } = begun();
    for (let i = 0; i < 10; i++) {
      await pass(4_000);
      watch.got();
      watch.progress();
      watch.waiting();
    }
    assert.equal(cut.signal.aborted, false);
    assert.equal(watch.longestMs, 4_000);
    watch.end();
  });

  it("cuts a drip: bytes that make no event are silence", async () => {
    const { watch, cut, pass } = begun();
    for (let i = 0; i < 6; i++) {
      await pass(1_000);
      watch.got();
      watch.waiting();
    }
    assert.equal(cut.signal.aborted, true);
  });

  it("does not blame the upstream for a caller that reads slowly", async () => {
    const { watch, cut, pass } = begun();
    watch.got();
    watch.progress();
    await pass(60_000);
    assert.equal(cut.signal.aborted, false);
    watch.waiting();
    await pass(STALL_MS);
    assert.equal(cut.signal.aborted, true);
  });

  it("does nothing after the end, and none begins after it", async () => {
    const { watch, cut, pass } = begun();
    watch.end();
    watch.begin();
    await pass(60_000);
    assert.equal(cut.signal.aborted, false);
  });

  it("hands on every piece, and closes the body that is left early", async () => {
    let closed = false;
    async function* body() {
      try {
        yield Buffer.from("a");
        yield Buffer.from("b");
      } finally {
        closed = true;
      }
    }
    const { watch } = begun();
    for await (const piece of watched(body(), watch)) {
      assert.equal(piece.toString(), "a");
      break;
    }
    assert.equal(closed, true);
  });
});
