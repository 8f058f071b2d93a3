import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DETECTION } from "../../../test/support/core-values.ts";
import type { Signal } from "../../model/signal.ts";
import { judge } from "./judge.ts";

/**
 * A region that stops for a while, probed as agents do it: a probe begins, is answered, waits for the
 * region to go on, is refused, or gives up after its time-out; the next one begins an interval later. Judged at every moment from before the stop to long after.
 */
interface World {
  readonly stopsAt: number;
  readonly stopMs: number;
  /** What a probe meets that begins while the region is stopped. */
  readonly manner: "frozen" | "dropped" | "refused, then dropped";
  readonly phases: readonly number[];
}

const { interval, timeout, confirm } = DETECTION;
const SUBJECT = { region: "eu-west", part: "gateway" } as const;

/** How long a probe takes that begins while the region is stopped, and whether it is answered. */
function stoppedProbe(began: number, { stopsAt, stopMs, manner }: World) {
  const leftMs = stopsAt + stopMs - began;
  if (manner === "frozen" && leftMs < timeout) return { latencyMs: leftMs, ok: true };
  const refused = manner === "refused, then dropped" && leftMs > stopMs / 2;
  return { latencyMs: refused ? 0 : timeout, ok: false };
}

/** All that one observer will have seen, oldest first; `at` is when each is known. */
function probes(observer: string, phase: number, world: World): Signal[] {
  const signals: Signal[] = [];
  const goesOnAt = world.stopsAt + world.stopMs;
  for (let began = phase, seq = 0; began < goesOnAt + 15_000; seq += 1) {
    const stopped = began >= world.stopsAt && began < goesOnAt;
    const outcome = stopped ? stoppedProbe(began, world) : { latencyMs: 0, ok: true };
    const at = began + outcome.latencyMs;
    const detail = outcome.ok ? "200" : "no answer";
    signals.push({ observer, observerRegion: null, seq, subject: SUBJECT, at, detail, ...outcome });
    began = at + interval;
  }
  return signals;
}

function healthAt(now: number, seen: readonly Signal[][]): string | undefined {
  const windows = seen.flatMap((signals) => {
    const known = signals.filter(({ at }) => at <= now && now - at <= confirm * 3 + 2_000);
    const [first] = known;
    if (first === undefined) return [];
    return [{ ...first, signals: known.toReversed() }];
  });
  const regions = ["eu-west", "us-east"];
  return judge({ windows, regions, detection: DETECTION, now })[0]?.health;
}

function everFailed(world: World): boolean {
  const seen = world.phases.map((phase, index) => probes(`observer:${index}`, phase, world));
  const end = world.stopsAt + world.stopMs + 10_000;
  for (let now = 0; now < end; now += 100) {
    if (healthAt(now, seen) === "failed") return true;
  }
  return false;
}

const manner = fc.constantFrom<World["manner"]>("frozen", "dropped", "refused, then dropped");
const phases = fc.array(fc.integer({ min: 0, max: 1_499 }), { minLength: 2, maxLength: 4 });

test("a region that stops for two seconds is never failed", () => {
  assert.equal(
    everFailed({ stopsAt: 5_000, stopMs: 2_000, manner: "frozen", phases: [0, 250, 700] }),
    false,
  );
});

test("a region that stops for less than confirm is never failed, at any moment", () => {
  const worlds = fc.record({
    stopsAt: fc.integer({ min: 3_000, max: 6_000 }),
    // Mostly just short of confirm: that is where a wrong rule would show.
    stopMs: fc.integer({ min: 0, max: 999 }).map((less) => confirm - 1 - less),
    manner,
    phases,
  });
  fc.assert(
    fc.property(worlds, (world) => assert.equal(everFailed(world), false)),
    { numRuns: 60 },
  );
});

test("a region that stays away is failed within confirm, two time-outs and two rounds", () => {
  const worlds = fc.record({
    stopsAt: fc.integer({ min: 3_000, max: 6_000 }),
    stopMs: fc.constant(60_000),
    manner,
    phases,
  });
  fc.assert(
    fc.property(worlds, (world) => {
      const seen = world.phases.map((phase, index) => probes(`observer:${index}`, phase, world));
      const limit = world.stopsAt + confirm + 2 * timeout + 2 * (interval + timeout);
      assert.equal(healthAt(limit, seen), "failed");
    }),
    { numRuns: 60 },
  );
});

test("an observer that was suspended between two short stops saw no long one", () => {
  const stopOnce = (stopsAt: number, observer: string): Signal[] =>
    probes(observer, 0, { stopsAt, stopMs: 2_000, manner: "dropped", phases: [] }).filter(
      ({ at, ok }) => !ok && at < stopsAt + 3_000,
    );
  const seen = ["observer:0", "observer:1"].map((observer) => [
    ...stopOnce(1_000, observer),
    ...stopOnce(9_000, observer),
  ]);
  const now = Math.max(...seen.flat().map(({ at }) => at));
  assert.equal(healthAt(now, seen), "degraded");
});
