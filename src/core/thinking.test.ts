import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DETECTION, INTENT, OWNERSHIP, workflowWith } from "../../test/support/core-values.ts";
import type { Decision } from "../model/decision.ts";
import type { Plan } from "../model/plan.ts";
import type { RegionReport, Signal } from "../model/signal.ts";
import { decide } from "./decisions/decide.ts";
import { type Finding, lint } from "./plans/lint/lint.ts";
import { planFor } from "./plans/plan.ts";
import { signalsOf, toWindows } from "./signals/windows.ts";
import { judge } from "./verdicts/judge.ts";

/** The whole thought, rooms joined as the controller joins them: reports in, a linted plan out. */

const REGIONS = ["eu-west", "us-east"];
const NOW = 60_000;

interface Thought {
  readonly decision: Decision;
  readonly plan: Plan | null;
  readonly findings: readonly Finding[];
}

/** What one agent saw for `seconds`, a look at each region each half second, `down` not answering. */
function reportOf(observerRegion: string, down: readonly string[], seconds: number): RegionReport {
  const observer = `agent:${observerRegion}`;
  // Each agent's clock began at some other time: nobody may compare them.
  const monotonicNow = observer.length * 1e6;
  const looks = Array.from({ length: seconds * 2 + 1 }, (_, step) => step);
  const signals = looks.flatMap((step) =>
    REGIONS.map((region, which): Signal => {
      const ok = !down.includes(region);
      const seq = step * REGIONS.length + which;
      const at = monotonicNow - (looks.length - 1 - step) * 500;
      const detail = ok ? "200 in 2 ms" : "connection refused";
      const subject = { region, part: "gateway" } as const;
      return { observer, observerRegion, seq, subject, at, ok, detail, latencyMs: 0 };
    }),
  );
  const seq = looks.length;
  return {
    region: observerRegion,
    observer,
    seq,
    monotonicNow,
    signals,
    indexes: [],
    gateway: null,
  };
}

function think(reports: readonly RegionReport[], serving: readonly string[]): Thought {
  const signals = signalsOf(reports.map((report) => ({ report, receivedAt: NOW })));
  const windows = toWindows(signals, { now: NOW, horizonMs: 14_000 });
  const verdicts = judge({ windows, regions: REGIONS, detection: DETECTION, now: NOW });
  const failed = verdicts.filter(({ health }) => health === "failed").map(({ region }) => region);
  const intent = { ...INTENT, serving: [...serving] };
  const spec = workflowWith();
  const decision = decide({
    workflow: "support",
    spec,
    intent,
    verdicts,
    readiness: [],
    request: null,
    sinceLastMoveMs: null,
    cooldownMs: DETECTION.cooldown,
    unsettledDependencies: [],
  });
  if (decision.kind === "hold") return { decision, plan: null, findings: [] };
  const ownerships = [OWNERSHIP];
  const made = { id: "p1", parent: null, release: "sha256:abc", now: 0 };
  const plan = planFor({
    decision,
    intent,
    spec,
    detection: DETECTION,
    ownerships,
    failed,
    ...made,
  });
  const findings = lint(plan, { intent, ownerships, regions: REGIONS, failed, index: "handbook" });
  return { decision, plan, findings };
}

/** Somebody who watches from outside every region. */
const outsider = (down: readonly string[], seconds: number): RegionReport =>
  reportOf("nowhere", down, seconds);

test("the serving region dies: two observers, one plan, nothing wrong with it", () => {
  const dead = ["eu-west"];
  const thought = think([reportOf("us-east", dead, 5), outsider(dead, 5)], ["eu-west"]);
  assert.equal(thought.decision.kind, "failover");
  assert.match(
    thought.decision.because,
    /^region outage of eu-west \(eu-west's gateway has answered nobody for 5\.0 s: agent:nowhere \(connection refused\) and agent:us-east \(connection refused\) agree\); us-east/,
  );
  assert.deepEqual(thought.findings, []);
  assert.deepEqual(
    thought.plan?.steps.map(({ kind }) => kind),
    [
      "prove-readiness",
      "take-ownership",
      "promote-index",
      "open-traffic",
      "confirm-acknowledged",
      "prove-traffic",
      "announce",
    ],
  );
});

test("a short stop, a dead standby, one lone observer, everything dark: nothing moves", () => {
  const dead = ["eu-west"];
  const dark = ["eu-west", "us-east"];
  const table: [name: string, reports: RegionReport[], because: RegExp][] = [
    ["stopped for two seconds", [reportOf("us-east", dead, 2), outsider(dead, 2)], /is degraded/],
    [
      "the standby died",
      [reportOf("eu-west", ["us-east"], 6), outsider(["us-east"], 6)],
      /is healthy/,
    ],
    ["one observer", [reportOf("us-east", dead, 6)], /2 witnesses are needed/],
    ["everything is dark", [reportOf("us-east", dark, 6), outsider(dark, 6)], /shared cause/],
    ["no report at all", [], /unknown, which is no reason to move/],
  ];
  for (const [name, reports, because] of table) {
    const { decision } = think(reports, ["eu-west"]);
    assert.equal(decision.kind, "hold", name);
    assert.match(decision.because, because, name);
  }
});

test("whatever is reported, a plan that comes out lints clean and goes to a living region", () => {
  const down = fc.subarray(REGIONS);
  const seconds = fc.integer({ min: 0, max: 10 });
  const report = fc
    .tuple(fc.constantFrom("eu-west", "us-east", "nowhere"), down, seconds)
    .map((drawn) => reportOf(...drawn));
  const serving = fc.subarray(REGIONS, { minLength: 1 });
  let plans = 0;
  fc.assert(
    fc.property(fc.array(report, { maxLength: 4 }), serving, (reports, now) => {
      const { plan, findings } = think(reports, now);
      assert.deepEqual(findings, []);
      if (plan === null) return;
      plans += 1;
      const answered = reports.some(({ signals }) =>
        signals.some(({ ok, subject }) => ok && plan.decision.to.includes(subject.region)),
      );
      assert.ok(answered);
    }),
    { numRuns: 1_000 },
  );
  assert.ok(plans > 0, "no plan was ever made, so nothing was proven");
});
