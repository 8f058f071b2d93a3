import assert from "node:assert/strict";
import { test } from "node:test";
import { INTENT, workflowWith } from "../../../test/support/core-values.ts";
import type { Decision } from "../../model/decision.ts";
import { type DecisionInput, decide } from "./decide.ts";
import { healths, input, PERSON, readiness, request } from "./inputs.fixture.ts";

/** `failover eu-west>us-east`, `hold`: a decision at a glance. */
function glance({ kind, from, to }: Decision): string {
  return kind === "hold" ? "hold" : `${kind} ${from.join("+")}>${to.join("+")}`;
}

type Row = [name: string, over: Partial<DecisionInput>, glance: string, because: RegExp];

function check(table: readonly Row[]): void {
  for (const [name, over, expected, because] of table) {
    const decision = decide(input(over));
    assert.equal(glance(decision), expected, `${name}: ${decision.because}`);
    assert.match(decision.because, because, name);
  }
}

const EU_FAILED = healths("failed", "healthy");
const THREE = workflowWith({ standbys: ["us-east", "ap-south"] });

test("by itself, active-passive: the table", () => {
  check([
    ["all well", {}, "hold", /^eu-west serves and is healthy$/],
    ["standby failed", { verdicts: healths("healthy", "failed") }, "hold", /eu-west serves and/],
    [
      "not seen",
      { verdicts: healths("unknown", "healthy") },
      "hold",
      /state of eu-west is unknown, which is no reason to move/,
    ],
    ["nobody judged", { verdicts: [] }, "hold", /nobody has judged eu-west yet/],
    ["degraded", { verdicts: healths("degraded", "healthy") }, "hold", /eu-west is degraded:/],
    [
      "failed",
      { verdicts: EU_FAILED },
      "failover eu-west>us-east",
      /^region outage of eu-west \(eu-west is failed in this test\); us-east is the first region that nothing speaks against$/,
    ],
    [
      "failed, standby proven",
      { verdicts: EU_FAILED, readiness: [readiness("us-east", true)] },
      "failover eu-west>us-east",
      /us-east is the first region that is ready$/,
    ],
    [
      "failed, standby not seen: the plan proves it",
      { verdicts: healths("failed", "unknown") },
      "failover eu-west>us-east",
      /us-east/,
    ],
    [
      "failed, standby not ready",
      { verdicts: EU_FAILED, readiness: [readiness("us-east", false)] },
      "hold",
      /^eu-west cannot be left: us-east is not ready: index handbook lags 12\.0 s$/,
    ],
    [
      "failed, first standby not ready",
      {
        spec: THREE,
        verdicts: healths("failed", "healthy", "healthy"),
        readiness: [readiness("us-east", false)],
      },
      "failover eu-west>ap-south",
      /ap-south is the first/,
    ],
    [
      "failed, first standby failed too",
      { spec: THREE, verdicts: healths("failed", "failed", "healthy") },
      "failover eu-west>ap-south",
      /ap-south is the first/,
    ],
    [
      "every region failed",
      { verdicts: healths("failed", "failed") },
      "hold",
      /if every region is bad, nobody evacuates/,
    ],
    [
      "no standby",
      { spec: workflowWith({ standbys: [] }), verdicts: EU_FAILED },
      "hold",
      /no other region may serve: nobody evacuates to nowhere/,
    ],
    [
      "after a failover, the standby fails and the primary is back",
      { intent: { ...INTENT, serving: ["us-east"] }, verdicts: healths("healthy", "failed") },
      "failover us-east>eu-west",
      /region outage of us-east/,
    ],
  ]);
});

test("by itself: what stands against a move", () => {
  check([
    [
      "a plan is under way",
      { intent: { ...INTENT, movingBy: "p9" }, verdicts: EU_FAILED },
      "hold",
      /^plan p9 is under way$/,
    ],
    [
      "a person declares",
      { spec: workflowWith({ declare: PERSON }), verdicts: EU_FAILED },
      "hold",
      /: wait for the duty manager: run `tideover failover support`$/,
    ],
    [
      "region outage may not be declared",
      {
        spec: workflowWith({ declare: { ...PERSON, by: "automatic", signals: ["stale-data"] } }),
        verdicts: EU_FAILED,
      },
      "hold",
      /declare\.signals of support does not list region-outage$/,
    ],
    [
      "cool-down",
      { verdicts: EU_FAILED, sinceLastMoveMs: 12_000 },
      "hold",
      /ended 12\.0 s ago, and the next may start in 18\.0 s$/,
    ],
    [
      "cool-down is over",
      { verdicts: EU_FAILED, sinceLastMoveMs: 30_000 },
      "failover eu-west>us-east",
      /region outage/,
    ],
    [
      "a dependency moves",
      { verdicts: EU_FAILED, unsettledDependencies: ["search", "embed"] },
      "hold",
      /support depends on search and embed, which have not settled$/,
    ],
  ]);
});

test("a move that is held back stands among the refused, with its reason", () => {
  const decision = decide(input({ verdicts: EU_FAILED, sinceLastMoveMs: 12_000 }));
  assert.equal(decision.domain, "region-outage");
  assert.deepEqual(
    decision.refused.map(({ alternative }) => alternative),
    ["failover from eu-west to us-east"],
  );
});

test("regions that were passed over stand among the refused, with their reasons", () => {
  const verdicts = healths("failed", "healthy", "healthy");
  const decision = decide(
    input({ spec: THREE, verdicts, readiness: [readiness("us-east", false)] }),
  );
  assert.deepEqual(decision.refused, [
    {
      alternative: "failover to us-east",
      why: "us-east is not ready: index handbook lags 12.0 s",
    },
  ]);
});

test("by itself, active-active: the living stay", () => {
  const spec = workflowWith({ pattern: "active-active", standbys: ["us-east", "ap-south"] });
  const intent = { ...INTENT, serving: ["eu-west", "us-east", "ap-south"] };
  const both = { ...INTENT, serving: ["eu-west", "us-east"] };
  check([
    ["all well", { spec, intent: both }, "hold", /^eu-west and us-east serve and are healthy$/],
    [
      "one failed",
      { spec, intent, verdicts: healths("failed", "healthy", "healthy") },
      "failover eu-west>us-east+ap-south",
      /us-east and ap-south stay$/,
    ],
    [
      "one failed, one known to be unready",
      {
        spec,
        intent,
        verdicts: healths("failed", "healthy", "healthy"),
        readiness: [readiness("ap-south", false)],
      },
      "failover eu-west+ap-south>us-east",
      /us-east stays$/,
    ],
    [
      "all that serve failed, another region lives",
      { spec, intent: both, verdicts: healths("failed", "failed", "healthy") },
      "failover eu-west+us-east>ap-south",
      /ap-south is the first/,
    ],
    [
      "all failed",
      { spec, intent, verdicts: healths("failed", "failed", "failed") },
      "hold",
      /nobody evacuates/,
    ],
  ]);
});

test("a person declares: failover", () => {
  const declared = request("failover");
  const spec = workflowWith({ declare: PERSON });
  check([
    [
      "of a failed region",
      { spec, request: declared, verdicts: EU_FAILED },
      "failover eu-west>us-east",
      /^failover of support asked by alice: region outage of eu-west/,
    ],
    [
      "of a region that looks well: a person may know better",
      { request: declared },
      "failover eu-west>us-east",
      /asked by alice: eu-west is declared failed/,
    ],
    [
      "of a region nobody sees",
      { request: declared, verdicts: [] },
      "failover eu-west>us-east",
      /alice/,
    ],
    [
      "within the cool-down",
      { request: declared, verdicts: EU_FAILED, sinceLastMoveMs: 10 },
      "failover eu-west>us-east",
      /alice/,
    ],
    [
      "to a failed region",
      { request: request("failover", "us-east"), verdicts: healths("healthy", "failed") },
      "hold",
      /is refused: us-east has failed/,
    ],
    [
      "to a region that is not ready",
      { request: request("failover", "us-east"), readiness: [readiness("us-east", false)] },
      "hold",
      /is refused: us-east is not ready: index handbook lags/,
    ],
    [
      "to where it serves",
      { request: request("failover", "eu-west") },
      "hold",
      /eu-west serves support already/,
    ],
    [
      "to a region that the workflow does not name",
      { request: request("failover", "mars") },
      "hold",
      /mars is no region of support; it may be served by eu-west and us-east/,
    ],
    [
      "ahead of what it depends on",
      { request: declared, verdicts: EU_FAILED, unsettledDependencies: ["search"] },
      "hold",
      /depends on search, which has not settled/,
    ],
    [
      "out of several living regions, unnamed",
      {
        spec: workflowWith({ pattern: "active-active" }),
        intent: { ...INTENT, serving: ["eu-west", "us-east"] },
        request: declared,
      },
      "hold",
      /none of them has failed; name the region that shall serve/,
    ],
  ]);
});

test("planned: switchover and failback", () => {
  const away = { ...INTENT, serving: ["us-east"] };
  const active = workflowWith({ pattern: "active-active" });
  check([
    [
      "switchover",
      { request: request("switchover") },
      "switchover eu-west>us-east",
      /us-east takes over from eu-west$/,
    ],
    [
      "failback",
      { intent: away, request: request("failback") },
      "failback us-east>eu-west",
      /alice/,
    ],
    [
      "switchover to the primary is a failback",
      { intent: away, request: request("switchover", "eu-west") },
      "failback us-east>eu-west",
      /eu-west takes over from us-east$/,
    ],
    [
      "failback at home",
      { request: request("failback") },
      "hold",
      /eu-west serves support already/,
    ],
    [
      "to a failed region",
      { intent: away, verdicts: healths("failed", "healthy"), request: request("failback") },
      "hold",
      /is refused: eu-west has failed/,
    ],
    [
      "to a region that is not ready",
      { intent: away, readiness: [readiness("eu-west", false)], request: request("failback") },
      "hold",
      /is refused: eu-west is not ready/,
    ],
    [
      "out of a region nobody sees",
      { verdicts: healths("unknown", "healthy"), request: request("switchover") },
      "hold",
      /its state is unknown .*: use `tideover failover support` if it is lost$/,
    ],
    [
      "nowhere to go",
      { spec: workflowWith({ standbys: [] }), request: request("switchover") },
      "hold",
      /support has no other region/,
    ],
    [
      "active-active: a region joins the others again",
      { spec: active, intent: away, request: request("failback") },
      "failback >eu-west+us-east",
      /eu-west joins us-east$/,
    ],
    [
      "active-active: not beside a region that is known to be unready",
      {
        spec: active,
        intent: away,
        readiness: [readiness("us-east", false)],
        request: request("failback"),
      },
      "hold",
      /is refused: us-east is not ready/,
    ],
  ]);
});

test("a planned move out of a failed region is refused, and the outage is answered all the same", () => {
  const decision = decide(
    input({ verdicts: EU_FAILED, request: request("switchover", "us-east") }),
  );
  assert.equal(glance(decision), "failover eu-west>us-east");
  assert.match(decision.refused[0]?.why ?? "", /its state is failed .*use `tideover failover/);
});

test("another workflow's request is nobody's here", () => {
  const stray = { ...request("switchover"), workflow: "search" };
  assert.equal(glance(decide(input({ request: stray }))), "hold");
});
