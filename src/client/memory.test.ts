import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Memory } from "./memory.ts";

const NOBODY: ReadonlySet<string> = new Set();

function world(random = 1) {
  let now = 0;
  return {
    now: () => now,
    date: () => now,
    random: () => random,
    uuid: () => "",
    after: () => () => undefined,
    at: (ms: number) => {
      now = ms;
    },
  };
}

/** How long the first gateway is left alone after so many failures in a row, each at its return. */
function rests(count: number, random?: number): number[] {
  const clock = world(random);
  const memory = new Memory(["a", "b"], clock);
  const found: number[] = [];
  for (let at = 0; found.length < count; at = clock.now()) {
    memory.failed("a", at);
    let ms = 0;
    while (memory.next(NOBODY) !== "a") clock.at(at + ++ms);
    found.push(ms);
    memory.begin("a");
    clock.at(clock.now() + 1);
  }
  return found;
}

describe("a gateway that failed", () => {
  it("is left alone twice as long each time, up to a minute", () => {
    assert.deepEqual(rests(8), [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  });

  it("is left alone for a part of it that differs between clients", () => {
    assert.deepEqual(rests(3, 0), [500, 1_000, 2_000]);
  });

  it("has failed once, however many of its requests say so", () => {
    const clock = world();
    const memory = new Memory(["a", "b"], clock);
    clock.at(10);
    for (let i = 0; i < 100; i++) memory.failed("a", 5);
    clock.at(1_010);
    assert.equal(memory.next(NOBODY), "a");
  });

  it("is as good as before once it answered", () => {
    const memory = new Memory(["a", "b"], world());
    memory.failed("a", 0);
    assert.equal(memory.next(NOBODY), "b");
    memory.answered("a");
    assert.equal(memory.next(NOBODY), "a");
  });

  it("is tried by one request at a time", () => {
    const clock = world();
    const memory = new Memory(["a", "b"], clock);
    memory.failed("a", 0);
    clock.at(1_000);
    memory.begin("a");
    assert.equal(memory.next(NOBODY), "b");
    memory.unsettled("a");
    assert.equal(memory.next(NOBODY), "a");
  });

  it("is asked all the same when there is nobody else, the soonest back first", () => {
    const clock = world();
    const memory = new Memory(["a", "b"], clock);
    memory.failed("a", 0);
    clock.at(1);
    memory.failed("a", 1);
    memory.failed("b", 1);
    assert.equal(memory.next(NOBODY), "b");
    assert.equal(memory.next(new Set(["b"])), "a");
    assert.equal(memory.next(new Set(["a", "b"])), null);
  });
});

describe("a gateway's silence", () => {
  const silence = (...times: number[]): number => {
    const memory = new Memory(["a"], world());
    for (const ms of times) memory.learn("a", ms);
    return memory.silenceMs("a");
  };

  it("is unusual after what it usually takes, within bounds", () => {
    assert.equal(silence(), 3_000);
    assert.equal(silence(20), 1_000);
    assert.equal(silence(1_000), 3_000);
    assert.equal(silence(20_000), 10_000);
    const steady = silence(...Array.from({ length: 100 }, () => 2_000));
    assert.ok(steady >= 2_000 && steady < 2_010, String(steady));
  });

  it("is unusual soon for one that may be dead", () => {
    const memory = new Memory(["a"], world());
    memory.learn("a", 20_000);
    memory.failed("a", 0);
    assert.equal(memory.silenceMs("a"), 1_000);
  });
});
