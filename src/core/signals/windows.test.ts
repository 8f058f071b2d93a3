import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RegionReport, Signal } from "../../model/signal.ts";
import { type ReceivedReport, signalsOf, toWindows } from "./windows.ts";

const GATEWAY = { region: "eu-west", part: "gateway" } as const;

function signal(over: Partial<Signal> = {}): Signal {
  return {
    observer: "agent:us-east",
    observerRegion: "us-east",
    seq: 1,
    subject: GATEWAY,
    at: 1_000,
    ok: true,
    detail: "200 in 3 ms",
    latencyMs: 3,
    ...over,
  };
}

function report(monotonicNow: number, signals: Signal[], seq = 1): RegionReport {
  const region = "us-east";
  const observer = "agent:us-east";
  return { region, observer, seq, monotonicNow, signals, indexes: [], gateway: null };
}

test("a signal's age on its observer's clock is its age on the reader's", () => {
  const received: ReceivedReport = {
    report: report(5_000, [signal({ at: 4_200 })]),
    receivedAt: 90,
  };
  assert.equal(signalsOf([received])[0]?.at, 90 - 800);
});

test("a signal from the future is as old as its report, and no younger", () => {
  const received = { report: report(5_000, [signal({ at: 9_999 })]), receivedAt: 90 };
  assert.equal(signalsOf([received])[0]?.at, 90);
});

test("it does not matter where an observer's clock began, so a clock that jumps changes nothing", () => {
  const ages = fc.array(fc.integer({ min: 0, max: 10_000 }), { maxLength: 10 });
  const origins = fc.integer({ min: -1e12, max: 1e12 });
  fc.assert(
    fc.property(ages, origins, origins, (past, one, other) => {
      const readWith = (origin: number): Signal[] => {
        const signals = past.map((age, seq) => signal({ seq, at: origin - age }));
        return signalsOf([{ report: report(origin, signals), receivedAt: 50_000 }]);
      };
      assert.deepEqual(readWith(one), readWith(other));
    }),
  );
});

test("one window per observer and subject, newest first", () => {
  const signals = [
    signal({ seq: 1, at: 100 }),
    signal({ seq: 3, at: 300 }),
    signal({ seq: 2, at: 200, subject: { region: "eu-west", part: "runtime" } }),
    signal({ seq: 3, at: 250, observer: "controller:c1", observerRegion: null }),
  ];
  const seen = toWindows(signals, { now: 400, horizonMs: 1_000 }).map((window) => [
    window.observer,
    window.observerRegion,
    window.subject.part,
    window.signals.map(({ seq }) => seq),
  ]);
  assert.deepEqual(seen, [
    ["agent:us-east", "us-east", "gateway", [3, 1]],
    ["controller:c1", null, "gateway", [3]],
    ["agent:us-east", "us-east", "runtime", [2]],
  ]);
});

test("each target of each gateway is a window of its own", () => {
  const target = (name: string, gateway: string) =>
    ({ region: "eu-west", part: "target", target: name, gateway }) as const;
  const signals = [
    signal({ seq: 1, subject: target("gpu-1", "eu-west"), ok: false }),
    signal({ seq: 2, subject: target("gpu-2", "eu-west"), ok: false }),
    signal({ seq: 3, subject: target("gpu-1", "us-east") }),
    signal({ seq: 4, subject: GATEWAY }),
  ];
  const windows = toWindows(signals, { now: 1_000, horizonMs: 100 });
  assert.deepEqual(
    windows.map(({ signals }) => signals.map(({ seq }) => seq)),
    [[4], [1], [3], [2]],
  );
});

test("what is older than the horizon is left out, and an empty window is none", () => {
  const signals = [signal({ seq: 1, at: 0 }), signal({ seq: 2, at: 500 })];
  const [window] = toWindows(signals, { now: 1_500, horizonMs: 1_000 });
  assert.deepEqual(
    window?.signals.map(({ seq }) => seq),
    [2],
  );
  assert.deepEqual(toWindows(signals, { now: 9_000, horizonMs: 1_000 }), []);
});

test("of two copies of a signal the one that looks youngest counts; of equals the success", () => {
  const slow = signal({ at: 700 });
  const [window] = toWindows([signal({ at: 500 }), slow], { now: 1_000, horizonMs: 1_000 });
  assert.deepEqual(window?.signals, [slow]);
  const [tied] = toWindows([signal({ ok: false }), signal({ ok: true })], {
    now: 1_000,
    horizonMs: 1_000,
  });
  assert.equal(tied?.signals[0]?.ok, true);
});

test("overlapping reports, however late each is read, never stretch a run of failures", () => {
  const delays = fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(delays, (late) => {
      const truth = late.map((_, turn) => signal({ seq: turn, ok: false, at: turn * 500 }));
      let clock = 0;
      const reports = late.map((delay, turn) => {
        // A store gives its states in order: no report is read before an older one.
        clock = Math.max(clock, turn * 500 + delay);
        const carried = truth.slice(0, turn + 1);
        return { report: report(turn * 500, carried, turn), receivedAt: clock };
      });
      const [window] = toWindows(signalsOf(reports), { now: clock, horizonMs: 60_000 });
      const ats = window?.signals.map(({ at }) => at) ?? [];
      assert.equal(ats.length, late.length);
      assert.ok(Number(ats[0]) - Number(ats.at(-1)) <= (late.length - 1) * 500);
    }),
  );
});

test("the order in which signals arrive does not matter", () => {
  const anySignal = fc.record({
    seq: fc.integer({ min: 0, max: 8 }),
    at: fc.integer({ min: 0, max: 2_000 }),
    ok: fc.boolean(),
    observer: fc.constantFrom("a", "b"),
  });
  fc.assert(
    fc.property(fc.array(anySignal, { maxLength: 20 }), (drawn) => {
      // (observer, seq) names one signal: copies differ in their time at most.
      const signals = drawn.map((some) => signal({ ...some, ok: some.seq % 2 === 0 }));
      const options = { now: 2_000, horizonMs: 1_500 };
      assert.deepEqual(toWindows(signals.toReversed(), options), toWindows(signals, options));
    }),
  );
});
