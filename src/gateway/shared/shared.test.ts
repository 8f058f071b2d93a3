import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { handClock } from "../../../test/support/gateway-world.ts";
import { EJECTION } from "../targets/ejection.ts";
import { Health } from "../targets/health.ts";
import { SharedBudget } from "./budget.ts";
import { SharedEntries } from "./entries.ts";
import { SharedLimits } from "./limits.ts";
import { releaseAll, type SharedMemory, sharedMemory } from "./memory.ts";
import { SharedNames } from "./names.ts";
import { SharedText } from "./text.ts";

const THREADS = 4;
const FLOOR = 100;

describe("what threads share", () => {
  let shared: SharedMemory;
  let gate: SharedArrayBuffer;
  let threads: Worker[] = [];

  beforeEach(() => {
    shared = sharedMemory();
    gate = new SharedArrayBuffer(4);
    threads = [];
  });
  afterEach(() => Promise.all(threads.map((thread) => thread.terminate())));

  it("admits exactly what one thread would, of each name, with nothing refilled meanwhile", async () => {
    const admitted = await inThreads("limits", 10_000);
    assert.equal(sum(admitted), 7 * 2_000);
    const limits = new SharedLimits(shared.limits, handClock());
    assert.equal(limits.take("tenant-0", 2_000, 1).ok, false);
    assert.equal(limits.take("another", 2_000, 1).ok, true);
  });

  it("counts every request and every retry, and grants no more retries than their share", async () => {
    const granted = sum(await inThreads("retries", 5_000));
    const { requests, retries } = new SharedBudget(shared.retries, 9, handClock()).traffic();
    assert.deepEqual([requests, retries], [THREADS * 5_000, granted]);
    assert.ok(granted <= requests * 0.5 + FLOOR, `${granted} of ${requests}`);
    assert.ok(granted > requests * 0.4);
  });

  it("counts every failure once, ejects once, and shows it to a thread that never asked", async () => {
    await inThreads("failures", 3_000);
    const health = healthOf(9);
    const outcomes = health.outcomes().toSorted((a, b) => a.name.localeCompare(b.name));
    assert.deepEqual(
      outcomes.map(({ name, failed, failedInARow }) => [name, failed, failedInARow]),
      [0, 1, 2].map((n) => [`target-${n}`, 4_000, 4_000]),
    );
    for (const { standing, ejections, ejectedForMs, lastFailure } of outcomes) {
      assert.deepEqual([standing, ejections, ejectedForMs], ["out", 1, EJECTION.firstMs]);
      assert.match(lastFailure ?? "", /^failure \d+ of [1-4]$/);
    }
    assert.deepEqual(health.order(["target-0", "other"], 0.5).names, ["other"]);
  });

  it("shows to each thread what another found of a target's normal, and of its silence", () => {
    const [one, other] = [1, 2].map((me) => new SharedEntries(shared.targets, me, () => 5));
    const entry = one?.of("target-0") ?? assert.fail();
    entry.slowBy = "pace";
    Object.assign(entry.runs.pace, { normalMs: 50, nowMs: 500, nowAt: 7, since: 8, count: 9 });
    Object.assign(entry.runs.firstToken, { normalMs: 20, windows: 3 });
    Object.assign(entry, { heardAt: 11, silentAt: 12, probeFrom: 13, probeMs: 14, probes: 15 });
    entry.times.pace.add(16);
    const seen = other?.of("target-0") ?? assert.fail();
    const { slowBy, heardAt, silentAt, probeFrom, probeMs, probes, runs, times } = seen;
    assert.deepEqual(
      [slowBy, heardAt, silentAt, probeFrom, probeMs, probes],
      ["pace", 11, 12, 13, 14, 15],
    );
    const { normalMs, nowMs, nowAt, since, count, windows } = runs.pace;
    assert.deepEqual([normalMs, nowMs, nowAt, since, count, windows], [50, 500, 7, 8, 9, 0]);
    assert.deepEqual([runs.firstToken.normalMs, runs.firstToken.windows], [20, 3]);
    assert.deepEqual([runs.wholeAnswer.normalMs, times.pace.newestMedian(8)], [0, 16]);
    assert.deepEqual([seen.ejectedUntil, seen.succeeded, times.stall.count], [0, 0, 0]);
    assert.equal(other?.of("target-1").slowBy, null);
  });

  it("gives one trial of a returning target to one thread", async () => {
    eject("target-0");
    assert.equal(sum(await inThreads("trial", 1_000)), 1);
  });

  it("frees what a thread held that was ended in the middle", async () => {
    eject("target-1");
    const [thread] = await start(["hold"], 1);
    open();
    await once(thread ?? assert.fail(), "message");
    const clock = handClock();
    clock.forward(EJECTION.firstMs);
    const health = healthOf(9, clock);
    assert.equal(health.claim("target-1", false), null, "it is being tried");
    await thread?.terminate();
    releaseAll(shared, 1);
    assert.deepEqual(health.claim("target-1", false), { name: "target-1", trial: true });
    const before = performance.now();
    health.failed({ name: "target-0", trial: false }, "status 500");
    new SharedBudget(shared.retries, 9, clock).earned();
    assert.ok(performance.now() - before < 500, "nobody waits for a lock of the dead");
  });

  it("goes on without a lock that is never given back, rather than hang", {
    timeout: 20_000,
  }, () => {
    new Int32Array(shared.retries, 0, 1)[0] = 77;
    assert.equal(new SharedBudget(shared.retries, 9, handClock()).take(0), true);
  });

  it("remembers for a thread that is started anew what is normal for a target", () => {
    const first = healthOf(1);
    for (let n = 0; n < 8; n++) first.answered({ name: "a", trial: false }, "wholeAnswer", 100 + n);
    first.busy("a", 5_000);
    const [shown] = healthOf(2).outcomes();
    assert.deepEqual([shown?.p95Ms.wholeAnswer, shown?.busyForMs], [107, 5_000]);
  });

  it("forgets failures of half a minute ago, as one thread does", () => {
    const clock = handClock();
    const [one, other] = [healthOf(1, clock), healthOf(2, clock)];
    for (let n = 0; n < 9; n++) {
      one.succeeded("a");
      other.failed({ name: "a", trial: false }, "status 500");
    }
    clock.forward(31_000);
    for (let n = 0; n < 2; n++) {
      other.succeeded("a");
      one.failed({ name: "a", trial: false }, "status 500");
    }
    assert.equal(healthOf(3, clock).outcomes()[0]?.standing, "in");
  });

  it("has a place for every name while there is room, and none for two", () => {
    const keys = new BigInt64Array(new SharedArrayBuffer(64 * 8));
    const names = Array.from({ length: 64 }, (_, n) => `name ${n}`);
    const [one, other] = [new SharedNames(keys), new SharedNames(keys)];
    const slots = names.map((name) => one.slotOf(name));
    assert.equal(new Set(slots).size, 64);
    assert.deepEqual(
      names.map((name) => other.slotOf(name)),
      slots,
    );
    assert.equal(one.slotOf("one too many"), null);
  });

  it("keeps a text whole, cut between characters when it is too long", () => {
    const text = new SharedText(new SharedArrayBuffer(24), 0, 24);
    assert.equal(text.get(), null);
    for (const [given, kept] of [
      ["", ""],
      ["漢".repeat(9), "漢".repeat(6)],
    ] as const) {
      text.set(given);
      assert.equal(text.get(), kept);
    }
    text.set(null);
    assert.equal(text.get(), null);
  });

  function healthOf(me: number, clock = handClock()): Health {
    const entries = new SharedEntries(shared.targets, me, () => clock.monotonic());
    return new Health(clock, () => 0, entries);
  }

  function eject(name: string): void {
    for (let n = 0; n < 3; n++) healthOf(9).failed({ name, trial: false }, "status 500");
  }

  async function start(what: readonly string[], times: number): Promise<Worker[]> {
    const started = what.map((task, at) => {
      const workerData = { what: task, me: at + 1, times, gate, shared };
      return new Worker(new URL("./thread.fixture.ts", import.meta.url), { workerData });
    });
    threads.push(...started);
    await Promise.all(started.map((thread) => once(thread, "message")));
    return started;
  }

  /** All at once, as nearly as threads can. */
  async function inThreads(what: string, times: number): Promise<number[]> {
    const started = await start(
      Array.from({ length: THREADS }, () => what),
      times,
    );
    const told = started.map((thread) => once(thread, "message"));
    open();
    return (await Promise.all(told)).map(([count]) => Number(count));
  }

  function open(): void {
    const word = new Int32Array(gate);
    Atomics.store(word, 0, 1);
    Atomics.notify(word, 0);
  }
});

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
