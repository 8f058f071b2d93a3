import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SimClock } from "../sim/clock.ts";
import { eachLimited } from "./each-limited.ts";
import { Mutex } from "./mutex.ts";
import { SignalRing } from "./signals.ts";
import { nextDue, runEvery } from "./ticker.ts";

describe("the next due time", () => {
  const cases: readonly [due: number, every: number, now: number, next: number][] = [
    [0, 100, 0, 100],
    [0, 100, 30, 100],
    [100, 100, 199, 200],
    // At the very moment: the turn that is due now is the one that just ran.
    [0, 100, 100, 200],
    [0, 100, 350, 400],
    // A clock that runs a little early must not give a turn twice.
    [100, 100, 99, 200],
  ];
  for (const [due, every, now, next] of cases) {
    it(`is ${next} after a turn due at ${due} that ended at ${now}`, () => {
      assert.equal(nextDue(due, every, now), next);
    });
  }
});

function ticking(work: (clock: SimClock) => Promise<void>) {
  const clock = new SimClock();
  const stop = new AbortController();
  const log: string[] = [];
  const say = (_: object, message: string): void => void log.push(message);
  const logger = { info: say, warn: say };
  const part = { name: "part", everyMs: 100, work: () => work(clock) };
  const ended = runEvery(part, { clock, logger, signal: stop.signal });
  return { clock, stop, log, ended };
}

describe("a part", () => {
  it("keeps to its grid though each turn takes time, and ends when told", async () => {
    const began: number[] = [];
    const { clock, stop, ended } = ticking(async (its) => {
      began.push(its.monotonic());
      await its.sleep(30);
    });
    await clock.advance(350);
    stop.abort();
    await clock.advance(100);
    await ended;
    assert.deepEqual(began, [0, 100, 200, 300]);
  });

  it("never runs beside itself, and leaves out the turns that a slow one ate", async () => {
    let running = 0;
    const began: number[] = [];
    const { clock, stop, ended } = ticking(async (its) => {
      running += 1;
      assert.equal(running, 1);
      began.push(its.monotonic());
      await its.sleep(began.length === 1 ? 250 : 0);
      running -= 1;
    });
    await clock.advance(450);
    stop.abort();
    await clock.advance(100);
    await ended;
    assert.deepEqual(began, [0, 300, 400]);
  });

  it("goes on after it threw, and tells a problem once when it begins and when it ends", async () => {
    let turns = 0;
    const { clock, stop, ended, log } = ticking(async () => {
      turns += 1;
      if (turns <= 3) throw new Error(turns < 3 ? "refused" : "reset");
    });
    await clock.advance(500);
    stop.abort();
    await ended;
    assert.equal(turns, 6);
    assert.deepEqual(log, ["part: refused", "part: reset", "part: works again"]);
  });
});

describe("a mutex", () => {
  it("runs work in order, one at a time, also behind one that threw", async () => {
    const mutex = new Mutex();
    const done: string[] = [];
    const clock = new SimClock();
    const slow = mutex.run(async () => {
      await clock.sleep(10);
      done.push("slow");
      throw new Error("broken");
    });
    const quick = mutex.run(async () => done.push("quick"));
    const refused = assert.rejects(slow, /broken/);
    await clock.advance(10);
    await refused;
    assert.equal(await quick, 2);
    assert.deepEqual(done, ["slow", "quick"]);
  });
});

it("limited work keeps the order of results and never exceeds its limit", async () => {
  const clock = new SimClock();
  let running = 0;
  let most = 0;
  const work = eachLimited([5, 1, 4, 2, 3], 2, async (item) => {
    running += 1;
    most = Math.max(most, running);
    await clock.sleep(item);
    running -= 1;
    return item * 10;
  });
  assert.deepEqual(await clock.run(work, 100), [50, 10, 40, 20, 30]);
  assert.equal(most, 2);
});

describe("the ring of signals", () => {
  const sight = (at: number) => ({
    subject: { region: "us-east", part: "gateway" } as const,
    at,
    ok: true,
    detail: "200 in 3 ms",
    latencyMs: 3,
  });

  it("numbers what it is given and forgets what is too old", () => {
    const ring = new SignalRing("agent:eu-west", "eu-west", 1_000.5);
    for (const at of [0, 50, 100]) ring.add(sight(at));
    const recent = ring.recent(110, 60);
    assert.deepEqual(
      recent.map(({ seq, at }) => [seq, at]),
      [
        [1_002, 50],
        [1_003, 100],
      ],
    );
    assert.deepEqual(
      [recent[0]?.observer, recent[0]?.observerRegion],
      ["agent:eu-west", "eu-west"],
    );
  });

  it("goes on above an earlier run's numbers, and never below its own", () => {
    const ring = new SignalRing("agent:eu-west", "eu-west", 1_000);
    ring.continueAfter(5_000);
    assert.equal(ring.next(), 5_001);
    ring.continueAfter(20);
    assert.equal(ring.next(), 5_002);
  });
});
