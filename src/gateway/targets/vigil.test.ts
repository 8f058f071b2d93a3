import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { handClock, realClock } from "../../../test/support/gateway-world.ts";
import type { ProbeEnd } from "./doubt.ts";
import { Health } from "./health.ts";
import type { Attendance } from "./vigil.ts";

/** One target whose answers take 200 ms, and probes that end as a test says. */
function world(answered: boolean) {
  const clock = handClock();
  const health = new Health(clock, () => 0);
  const claim = { name: "a", trial: false };
  for (let i = 0; i < 8; i++) health.answered(claim, "wholeAnswer", 200);
  for (let i = 0; i < 8; i++) health.paused("a", 50);
  const probes: ((end: ProbeEnd) => void)[] = [];
  const cuts: string[] = [];
  const probe = () => new Promise<ProbeEnd>((resolve) => probes.push(resolve));
  const begin = (others = true): Attendance => {
    const wait = health.vigil.over({ claim, measure: "wholeAnswer", probe, others });
    wait.sent(({ message }) => {
      cuts.push(message);
      wait.over();
    });
    return wait;
  };
  /** In steps that are shorter than a look is apart from the next. */
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 50) {
      clock.forward(50);
      await realClock.sleep(0);
    }
  };
  const end = async (how: ProbeEnd): Promise<void> => {
    probes.at(-1)?.(how);
    await realClock.sleep(0);
  };
  const entry = health.entry("a");
  if (answered) entry.probeMs = 5;
  return { clock, health, entry, probes, cuts, begin, pass, end };
}

describe("the watch over those who wait for a target", () => {
  it("doubts it when it is silent for longer than is usual, and moves them on at a probe's silence", async () => {
    const { probes, cuts, begin, pass, end, entry, health } = world(true);
    begin();
    begin();
    await pass(250);
    assert.equal(probes.length, 0, "its answers take that long");
    await pass(200);
    assert.equal(probes.length, 1);
    await end("silent");
    assert.deepEqual(cuts, [], "not before what came meanwhile is read");
    await pass(150);
    assert.equal(cuts.length, 2);
    assert.match(cuts[0] ?? "", /^silent for \d+ ms, and a probe of it got no answer$/);
    assert.ok(entry.silentAt > 0);
    assert.deepEqual(health.order(["a", "b"], 0.5).names, ["b", "a"]);
    const [shown] = health.outcomes();
    assert.deepEqual([shown?.failed, shown?.standing, shown?.probes], [0, "in", 1]);
  });

  it("asks once at a time, and once a second at most", async () => {
    const { probes, begin, pass, end } = world(true);
    begin();
    await pass(5_000);
    assert.equal(probes.length, 1, "the first is under way");
    await end("refused");
    await pass(60_000);
    assert.equal(probes.length, 2);
    for (let i = 0; i < 6; i++) {
      await end("refused");
      await pass(10_000);
    }
    assert.ok(probes.length <= 7, `${probes.length} probes that proved nothing`);
  });

  it("believes one that thinks for twice as long each time", async () => {
    const { probes, cuts, begin, pass, end } = world(true);
    begin();
    for (let i = 0; i < 400; i++) {
      await pass(100);
      await end("answered");
    }
    assert.ok(probes.length >= 3 && probes.length <= 8, `${probes.length} in 40 seconds`);
    assert.deepEqual(cuts, []);
  });

  it("moves nobody where nobody else can be asked, nor whoever was heard meanwhile", async () => {
    const { cuts, begin, pass, end } = world(true);
    begin(false);
    const heard = begin();
    await pass(450);
    heard.heard();
    await end("silent");
    await pass(300);
    assert.deepEqual(cuts, []);
  });

  it("moves nobody at the silence of a first probe, which may wait behind the work", async () => {
    const { probes, cuts, begin, pass, end } = world(false);
    begin();
    await pass(150);
    assert.equal(probes.length, 1, "it is asked as soon as somebody waits");
    await end("silent");
    await pass(2_500);
    await end("silent");
    await pass(300);
    assert.deepEqual(cuts, []);
  });

  it("moves on when even a first one finds no way there, but not before there is a doubt", async () => {
    const { probes, cuts, begin, pass, end } = world(false);
    begin();
    await pass(150);
    await end("unreached");
    await pass(100);
    assert.deepEqual(cuts, [], "its answers take that long");
    await pass(2_500);
    assert.equal(probes.length, 2);
    await end("unreached");
    await pass(150);
    assert.equal(cuts.length, 1);
  });

  it("reads what came while we slept ourselves, before it calls that a silence", async () => {
    const { clock, cuts, begin, pass, end } = world(true);
    const wait = begin();
    await pass(450);
    await end("silent");
    clock.forward(60_000);
    await realClock.sleep(0);
    assert.deepEqual(cuts, []);
    wait.heard();
    await pass(200);
    assert.deepEqual(cuts, []);
  });

  it("moves on all the same when nothing had come, though each look is late", async () => {
    const { clock, cuts, begin, end } = world(true);
    const late = async (): Promise<void> => {
      clock.forward(500);
      await realClock.sleep(0);
    };
    begin();
    for (let i = 0; i < 4; i++) await late();
    await end("silent");
    for (let i = 0; i < 2; i++) await late();
    assert.equal(cuts.length, 1);
  });

  it("counts as slow who is late, before it has answered, and once", async () => {
    const { clock, health, begin, pass } = world(true);
    for (let i = 0; i < 40; i++) {
      clock.forward(50);
      health.order(["a", "b"], 0.5);
      health.answered({ name: "a", trial: false }, "wholeAnswer", 200);
    }
    const { count } = health.entry("a").times.wholeAnswer;
    begin();
    await pass(600);
    assert.equal(health.entry("a").times.wholeAnswer.count, count);
    await pass(5_000);
    assert.equal(health.entry("a").times.wholeAnswer.count, count + 1);
  });
});
