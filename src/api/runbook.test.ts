import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { loadRelease } from "../config/load-release.ts";
import { loadSpec } from "../config/load-spec.ts";
import { planFor } from "../core/plans/plan.ts";
import { initialReleaseIntent } from "../core/publish/releases.ts";
import { TideoverError } from "../lib/errors.ts";
import { KEYS } from "../model/keys.ts";
import type { Spec } from "../model/spec.ts";
import { releaseSpecOf } from "../model/spec.ts";
import { formatDuration } from "../model/units.ts";
import { SIM_RELEASE, simSpec } from "../sim/estate.ts";
import { type Runbook, runbookOf } from "./runbook.ts";
import { intent, readiness, storeWith, WORKFLOW } from "./values.fixture.ts";

const examples = fileURLToPath(new URL("../../examples", import.meta.url));
const NOW = 1_700_000_000_000;

function exampleEstate(name: string) {
  const { spec, folder } = loadSpec(join(examples, name));
  const release = releaseSpecOf(spec);
  return { spec, release: release ? loadRelease(resolve(folder, release.folder)) : null };
}

const names = [...globSync("*.yaml", { cwd: examples }), "estate/tideover.yaml"].sort();

for (const name of names) {
  const estate = exampleEstate(name);
  for (const workflow of Object.keys(estate.spec.workflows)) {
    test(`examples/${name}: the runbook of ${workflow} answers everything`, async () => {
      const runbook = await runbookOf(null, estate, workflow, NOW);
      assertAnswers(runbook, estate.spec, workflow);
      const { release } = estate;
      const [first, second] = runbook.expectedVersions;
      if (release === null) assert.deepEqual([first, second], [NO_RELEASE_WORDS, undefined]);
      else
        assert.ok(first?.includes(release.digest) && second?.includes(release.body.model.digest));
    });
  }
}

const NO_RELEASE_WORDS = "no release: targets are used as they are";

/** Who, on what, what is proven, which versions, which modes, who is told: none may be empty. */
function assertAnswers(runbook: Runbook, spec: Spec, workflow: string): void {
  const flow = spec.workflows[workflow];
  assert.ok(flow);
  assert.equal(runbook.workflow, workflow);
  assert.equal(runbook.indexMove?.decision.index?.name, indexOfOthers(spec, workflow));
  assert.ok(runbook.whoDeclares.includes(flow.declare.who));
  assert.deepEqual(
    runbook.signals.map((line) => line.split(": ")[0]),
    flow.declare.signals,
  );
  assert.ok(runbook.customers.startsWith(`${flow.customers.channel}: `));
  assert.ok(runbook.verifiedBeforeOpening.length >= 4);
  assert.deepEqual(
    runbook.acceptableModes,
    flow.degradedModes.length > 0 ? flow.degradedModes : ["none: full answers or none"],
  );
  const verified = runbook.verifiedBeforeOpening.join("\n");
  assert.equal(verified.includes("another tenant's canary"), flow.retrieval !== undefined);
  assert.equal(verified.includes("golden questions"), flow.golden !== undefined);
  // Without a standby there is no plan, and the situation says so in its place.
  assert.equal(runbook.plan !== null, flow.standbys.length > 0);
  assert.equal(runbook.situation.includes("no plan could run: "), runbook.plan === null);
  assert.doesNotMatch(JSON.stringify({ ...runbook, plan: null }), /undefined|NaN|\[object/);
}

test("a workflow that a person declares waits for that person, and names the command", async () => {
  const estate = exampleEstate("decision-support.yaml");
  const { whoDeclares, plan } = await runbookOf(null, estate, "decision-support", NOW);
  assert.match(whoDeclares, /^duty manager declares, by `tideover failover decision-support`/);
  assert.equal(plan?.decision.kind, "failover");
});

test("a workflow that is declared automatically says after how much agreement", async () => {
  const estate = exampleEstate("estate/tideover.yaml");
  const { whoDeclares, signals } = await runbookOf(null, estate, "summarize", NOW);
  const confirm = formatDuration(estate.spec.detection.confirm);
  assert.ok(whoDeclares.startsWith(`Tideover declares by itself after ${confirm}`));
  assert.match(
    signals[0] ?? "",
    /^region-outage: at least 2 observers, one of them outside the region, saw .* for 4\.0 s$/,
  );
  assert.match(
    signals[1] ?? "",
    /^capacity-loss: every model of the region failed its own gateway/,
  );
});

test("the lag that is asked for is the smaller of the index's own and the workflow's rpo", async () => {
  const asked = async (rpo: string) => {
    const spec = simSpec({ workflows: { [WORKFLOW]: { rpo } } });
    const { verifiedBeforeOpening } = await runbookOf(null, { spec, release: null }, WORKFLOW, NOW);
    return /lags at most (.+)/.exec(verifiedBeforeOpening.join("\n"))?.[1];
  };
  assert.deepEqual([await asked("2s"), await asked("60s")], ["2.0 s", "5.0 s"]);
});

test("customers are told as they would be: the message with its variables filled in", async () => {
  const estate = { spec: simSpec(), release: null };
  const { customers } = await runbookOf(null, estate, WORKFLOW, NOW);
  assert.equal(customers, "status page: rag-search moved from eu-west to us-east.");
});

describe("the plan", () => {
  const spec = simSpec({ regions: ["eu-west", "us-east", "ap-south"] });
  const estate = { spec, release: SIM_RELEASE };
  const owner = { index: "handbook", epoch: 6, region: "eu-west", frozen: false };

  test("is the one that the planner makes of the present state", async () => {
    const held = intent({ epoch: 9 });
    const store = await storeWith({
      [KEYS.intent(WORKFLOW)]: held,
      [KEYS.ownership("handbook")]: owner,
      [KEYS.readiness("us-east", WORKFLOW)]: readiness({ ready: false, because: "it lags" }),
      [KEYS.readiness("ap-south", WORKFLOW)]: readiness({ region: "ap-south" }),
    });
    const { plan, situation } = await runbookOf(store, estate, WORKFLOW, NOW);
    assert.ok(plan);
    const flow = spec.workflows[WORKFLOW];
    assert.ok(flow);
    assert.deepEqual(
      plan,
      planFor({
        decision: plan.decision,
        intent: held,
        spec: flow,
        detection: spec.detection,
        ownerships: [owner],
        release: SIM_RELEASE.digest,
        id: "would-be",
        parent: null,
        now: NOW,
      }),
    );
    assert.partialDeepStrictEqual(plan.decision, {
      kind: "failover",
      from: ["eu-west"],
      to: ["ap-south"],
      refused: [{ alternative: "failover to us-east" }],
    });
    assert.equal(plan.epoch, 10);
    assert.equal(
      situation,
      "eu-west serves it now (epoch 9). If eu-west failed now: failover to ap-south.",
    );
  });

  test("moves the index along when the failing region writes it, and only then", async () => {
    const kinds = async (region: string) => {
      const moved = { ...owner, region };
      const values = { [KEYS.intent(WORKFLOW)]: intent(), [KEYS.ownership("handbook")]: moved };
      const { plan } = await runbookOf(await storeWith(values), estate, WORKFLOW, NOW);
      return plan?.steps.map(({ kind }) => kind) ?? [];
    };
    assert.ok((await kinds("eu-west")).includes("promote-index"));
    assert.equal((await kinds("us-east")).includes("promote-index"), false);
  });

  test("of a store that nobody has filled is that of the first start", async () => {
    const empty = await storeWith({ other: 1 });
    assert.deepEqual(
      await runbookOf(empty, estate, WORKFLOW, NOW),
      await runbookOf(null, estate, WORKFLOW, NOW),
    );
  });

  test("goes on from where the workflow is: after a failover it leaves the other region", async () => {
    const values = { [KEYS.intent(WORKFLOW)]: intent({ serving: ["us-east"] }) };
    const { plan } = await runbookOf(await storeWith(values), estate, WORKFLOW, NOW);
    assert.deepEqual([plan?.decision.from, plan?.decision.to], [["us-east"], ["eu-west"]]);
  });

  test("is told although another one is under way", async () => {
    const values = { [KEYS.intent(WORKFLOW)]: intent({ movingBy: "p1" }) };
    assert.ok((await runbookOf(await storeWith(values), estate, WORKFLOW, NOW)).plan);
  });

  test("is none while no standby is ready, and the situation says why of each", async () => {
    const unready = (region: string, because: string) => ({
      [KEYS.readiness(region, WORKFLOW)]: readiness({ region, ready: false, because }),
    });
    const store = await storeWith({
      [KEYS.intent(WORKFLOW)]: intent(),
      ...unready("us-east", "index handbook lags 12.0 s"),
      ...unready("ap-south", "the model is another one"),
      // Another workflow's good news is none for this one.
      [KEYS.readiness("us-east", "other")]: readiness({ workflow: "other" }),
    });
    const { plan, situation, customers } = await runbookOf(store, estate, WORKFLOW, NOW);
    assert.equal(plan, null);
    assert.match(situation, /^eu-west serves it now, and no plan could run: /);
    assert.match(situation, /index handbook lags 12\.0 s/);
    assert.match(situation, /the model is another one/);
    // Nothing moves, so nothing is filled in: a made-up region would be a promise.
    assert.equal(customers, "status page: {workflow} moved from {from} to {to}.");
  });
});

// `toString` is a member of every object: it must not be found as a workflow.
for (const unknown of ["nobody", "toString", "__proto__", ""]) {
  test(`"${unknown}" is no workflow, and the answer lists those that are`, async () => {
    const estate = exampleEstate("estate/tideover.yaml");
    await assert.rejects(runbookOf(null, estate, unknown, NOW), (error) => {
      assert.ok(error instanceof TideoverError);
      assert.equal(error.code, "NOT_FOUND");
      assert.equal(error.message, `there is no workflow "${unknown}"`);
      assert.equal(error.next, "The spec has: support-search, assistant, summarize.");
      return true;
    });
  });
}

test("shows how the release is changed and changed back, from what the regions run now", async () => {
  const { spec, release } = exampleEstate("estate/tideover.yaml");
  assert.ok(release);
  const [workflow = ""] = Object.keys(spec.workflows);
  const fresh = await runbookOf(null, { spec, release }, workflow, NOW);
  const kinds = fresh.release?.activation.steps.map(({ kind }) => kind) ?? [];
  assert.equal(kinds[0], "prefetch-release");
  assert.equal(kinds.filter((kind) => kind === "activate-release").length, 2);
  assert.equal(fresh.release?.rollback.release, release.digest);
  assert.equal(fresh.release?.activation.epoch, 2);
  const later = initialReleaseIntent(spec, "sha256:later", NOW);
  const store = await storeWith({ [KEYS.releaseIntent]: { ...later, epoch: 7 } });
  const now = await runbookOf(store, { spec, release }, workflow, NOW);
  assert.deepEqual(
    [now.release?.activation.epoch, now.release?.rollback.release],
    [8, "sha256:later"],
  );
  const none = await runbookOf(null, { spec, release: null }, workflow, NOW);
  assert.equal(none.release, null);
});

/** The workflow's index, where another region may own it. */
function indexOfOthers(spec: Spec, workflow: string): string | undefined {
  const index = spec.workflows[workflow]?.retrieval?.index;
  const users = Object.values(spec.workflows).filter((one) => one.retrieval?.index === index);
  const regions = new Set(users.flatMap(({ primary, standbys }) => [primary, ...standbys]));
  return regions.size > 1 ? index : undefined;
}

test("an index that a plan has moved is given back from where it is by now", async () => {
  const spec = simSpec();
  const owned = { index: "handbook", epoch: 3, region: "us-east", frozen: false };
  const store = await storeWith({ [KEYS.ownership("handbook")]: owned });
  const { indexMove } = await runbookOf(store, { spec, release: SIM_RELEASE }, WORKFLOW, NOW);
  assert.deepEqual([indexMove?.decision.to, indexMove?.epoch], [["eu-west"], 4]);
});
