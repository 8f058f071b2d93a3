import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ReportCheck } from "../core/evidence/report.ts";
import { outcome, run, SCOPE, WORKFLOW, withStep } from "./findings.fixture.ts";
import {
  type FencingFindings,
  failbackChecks,
  failoverChecks,
  fencingChecks,
  loadChecks,
} from "./region-outage-checks.ts";

const POSITION = { seq: 9, digest: "d", sourceTime: 1, count: 6 };

function failover() {
  return {
    scope: SCOPE,
    failovers: [run({})],
    split: { detectMs: 1, decideMs: 1, verifyMs: 1, openMs: 1, propagateMs: 1, totalMs: 5_000 },
    lost: { rpaMs: 100, because: "handbook: change 8 of 9" },
    rtoMs: 10_000,
    rpoMs: 2_000,
  };
}

function fencing(): FencingFindings {
  return {
    scope: SCOPE,
    answeredBy: [{ workflow: WORKFLOW, region: "us-east", detail: "succeeded" }],
    refusal: { refused: true, detail: "409: it does not own handbook" },
    indexes: [{ index: "handbook", returned: POSITION, lagMs: 10, maxLagMs: 2_000, orphans: 0 }],
    readiness: [{ workflow: WORKFLOW, ready: true, because: "8 of 8" }],
  };
}

function load() {
  const outcomes = [outcome(), outcome({ streamed: true, region: "us-east" })];
  return { scope: SCOPE, outcomes, release: "sha256:r", rtoMs: 10_000 };
}

const failedOf = (checks: readonly ReportCheck[]) =>
  checks.filter(({ pass }) => !pass).map(({ name }) => name);

/** One thing spoiled, and the names of the checks that must say so: those and no others. */
type Spoiled<Found> = readonly [what: string, change: Partial<Found>, fails: readonly string[]];

function holdsUnless<Found>(
  checks: (found: Found) => ReportCheck[],
  good: () => Found,
  table: readonly Spoiled<Found>[],
): void {
  test("every check holds when all is well, and has something to show", () => {
    const made = checks(good());
    assert.deepEqual(failedOf(made), []);
    for (const { name, evidence } of made) assert.ok(evidence.length > 0, name);
  });
  test("every check can fail: the table names each of them", () => {
    const named = new Set(table.flatMap(([, , fails]) => fails));
    const names = checks(good()).map(({ name }) => name);
    assert.deepEqual(
      names.filter((name) => !named.has(name)),
      [],
    );
  });
  for (const [what, change, fails] of table) {
    test(`${what}: ${fails.length === 0 ? "nothing fails" : fails.join(", ")}`, () => {
      assert.deepEqual(failedOf(checks({ ...good(), ...change })), fails);
    });
  }
}

describe("the failover", () => {
  const { split, lost } = failover();
  const took = (totalMs: number) => ({ split: { ...split, totalMs } });
  const rto = ["recovery time within RTO"];
  const rpo = ["lost data within RPO"];
  const proven = [`${WORKFLOW}: standby proven before it opened`];
  const traffic = [`${WORKFLOW}: traffic proven after it opened`];
  holdsUnless(failoverChecks, failover, [
    ["as long as the RTO", took(10_000), []],
    ["longer than the RTO", took(10_001), rto],
    ["never recovered, so nothing measured", took(0), rto],
    ["as much lost as the RPO", { lost: { ...lost, rpaMs: 2_000 } }, []],
    ["more lost than the RPO", { lost: { ...lost, rpaMs: 2_001 } }, rpo],
    [
      "a plan that failed",
      { failovers: [run({ state: { status: "failed" } })] },
      [`failover of ${WORKFLOW} by plan`],
    ],
    [
      "a plan that still runs",
      { failovers: [run({ state: { status: "running" } })] },
      [`failover of ${WORKFLOW} by plan`],
    ],
    [
      "a standby opened unproven",
      { failovers: [withStep(run({}), "prove-readiness", { status: "pending" })] },
      proven,
    ],
    [
      "traffic not proven",
      { failovers: [withStep(run({}), "prove-traffic", { status: "failed" })] },
      traffic,
    ],
    [
      "no journal of a proof",
      { failovers: [run({ state: { steps: run({}).state.steps.slice(1) } })] },
      proven,
    ],
    [
      "one of two workflows that failed",
      { failovers: [run({}), run({ plan: { workflow: "plain" }, state: { status: "failed" } })] },
      ["failover of plain by plan"],
    ],
  ]);

  test("a step that had to be run more than once is told, and is no fault", () => {
    const again = withStep(run({}), "open-traffic", { attempts: 2 });
    const check = failoverChecks({ ...failover(), failovers: [again] }).find(({ name }) =>
      name.includes("by plan"),
    );
    assert.match(check?.evidence ?? "", /3 steps, 1 of them more than once/);
    assert.equal(check?.pass, true);
  });
});

describe("the return of the dead region", () => {
  const [answer] = fencing().answeredBy;
  const [index] = fencing().indexes;
  const itself = ["returned region does not serve by itself"];
  const level = ["handbook caught up in the returned region"];
  const refuses = ["returned region's index refuses writes under its old epoch"];
  assert.ok(answer && index);
  holdsUnless(fencingChecks, fencing, [
    ["it answers by itself", { answeredBy: [{ ...answer, region: "eu-west" }] }, itself],
    [
      "it answers one of two by itself",
      { answeredBy: [answer, { ...answer, region: "eu-west" }] },
      itself,
    ],
    ["nobody knows who answered", { answeredBy: [{ ...answer, region: null }] }, itself],
    ["nobody was asked", { answeredBy: [] }, itself],
    ["it takes a write", { refusal: { refused: false, detail: "it accepted change 10" } }, refuses],
    ["no index had moved", { refusal: null, indexes: [] }, []],
    ["it lags as far as it may", { indexes: [{ ...index, lagMs: 2_000 }] }, []],
    ["it lags too far", { indexes: [{ ...index, lagMs: 2_001 }] }, level],
    ["it came back empty", { indexes: [{ ...index, returned: { ...POSITION, count: 0 } }] }, level],
    [
      "it is not ready",
      { readiness: [{ workflow: WORKFLOW, ready: false, because: "it lags" }] },
      [`${WORKFLOW}: returned region proven before it took traffic back`],
    ],
  ]);

  test("what only it had is counted, and kept aside", () => {
    const checks = fencingChecks({ ...fencing(), indexes: [{ ...index, orphans: 3 }] });
    assert.ok(checks.some(({ evidence }) => evidence.includes("3 changes that only it had")));
  });
});

describe("the failback", () => {
  const back = run({ kind: "failback" });
  const failing = (status: "failed" | "running" | "undoing") =>
    failbackChecks([
      back,
      run({ kind: "failback", plan: { workflow: "plain" }, state: { status } }),
    ]);

  test("holds when every plan completed", () => {
    assert.deepEqual(failedOf(failbackChecks([back])), []);
    assert.equal(failbackChecks([back]).length, 1);
  });

  for (const status of ["failed", "running", "undoing"] as const) {
    test(`fails for the workflow whose plan is ${status}`, () => {
      assert.deepEqual(failedOf(failing(status)), ["failback of plain by plan"]);
    });
  }
});

describe("the load", () => {
  const good = outcome();
  const with_ = (...more: ReturnType<typeof outcome>[]) => ({ outcomes: [good, ...more] });
  const failed = outcome({ result: "failed", right: false, region: null, release: null });
  holdsUnless(loadChecks, load, [
    ["a request failed", with_(failed), ["no request failed"]],
    [
      "a stream failed before its first event",
      with_({ ...failed, streamed: true }),
      ["no request failed"],
    ],
    [
      "a stream was cut and said so",
      with_(outcome({ result: "cut", right: false, streamed: true })),
      [],
    ],
    [
      "a cut answer looked finished",
      with_(outcome({ result: "silently-cut", right: false })),
      ["no cut answer looked finished"],
    ],
    ["an answer was wrong", with_(outcome({ right: false })), ["answers right"]],
    [
      "an answer came from another release",
      with_(outcome({ release: "sha256:old" })),
      ["one release everywhere"],
    ],
    ["an answer names no release", with_(outcome({ release: null })), ["one release everywhere"]],
    ["an answer took as long as the RTO", with_(outcome({ endedAt: 11_000 })), []],
    [
      "an answer took longer than the RTO",
      with_(outcome({ endedAt: 11_001 })),
      ["nobody waited longer than the RTO"],
    ],
    [
      "nobody asked",
      { outcomes: [] },
      [
        "no request failed",
        "answers right",
        "one release everywhere",
        "nobody waited longer than the RTO",
      ],
    ],
    [
      "no answer was whole",
      { outcomes: [outcome({ result: "cut", right: false, streamed: true })] },
      ["answers right", "one release everywhere", "nobody waited longer than the RTO"],
    ],
  ]);

  test("the figures are those of the outcomes, with the first that went wrong", () => {
    const outcomes = [
      good,
      outcome({ region: "us-east" }),
      outcome({ right: false, region: "us-east" }),
      { ...failed, detail: "503" },
      { ...failed, streamed: true },
    ];
    const checks = loadChecks({ ...load(), outcomes });
    const evidence = Object.fromEntries(checks.map((check) => [check.name, check.evidence]));
    assert.equal(
      evidence["no request failed"],
      '1 of 4 unstreamed requests failed, and 1 streamed ones before their first event; the first: "How long?" (rag, 503)',
    );
    assert.equal(
      evidence["answers right"],
      '2 of 3 answers hold what they must (1 by eu-west, 2 by us-east); the first: "How long?" (rag, finish_reason stop)',
    );
  });
});
