import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TideoverError } from "../lib/errors.ts";
import { KEYS } from "../model/keys.ts";
import { simSpec } from "../sim/estate.ts";
import { readStatus } from "./status.ts";
import {
  decision,
  intent,
  plan,
  planState,
  readiness,
  record,
  report,
  storeWith,
  WORKFLOW,
} from "./values.fixture.ts";

const spec = simSpec({ regions: ["eu-west", "us-east", "ap-south"] });
const SNAPSHOT = {
  payload: JSON.stringify({
    number: 12,
    regions: { "eu-west": { release: "sha256:r" }, "us-east": { release: "sha256:r" } },
    more: "of it",
  }),
  keyId: "k",
  signature: "s",
};

type Values = Readonly<Record<string, unknown>>;

async function statusWith(values: Values, ages: Readonly<Record<string, number>> = {}) {
  const store = await storeWith(values);
  return readStatus(store, spec, (observer) => ages[observer] ?? 0);
}

/** The standbys of the one workflow, by region. */
async function standbysWith(values: Values, ages: Readonly<Record<string, number>> = {}) {
  const status = await statusWith({ [KEYS.intent(WORKFLOW)]: intent(), ...values }, ages);
  return Object.fromEntries(status.workflows[0]?.standbys.map((one) => [one.region, one]) ?? []);
}

describe("a standby", () => {
  const READY = readiness();
  const NOT = readiness({ ready: false, because: "index handbook lags 12.0 s" });
  const key = KEYS.readiness("us-east", WORKFLOW);
  const reporting = { [KEYS.report("agent:us-east")]: report("us-east") };

  test("is what its agent proved, while that goes on reporting", async () => {
    const ready = await standbysWith({ [key]: READY, ...reporting });
    assert.deepEqual(ready["us-east"], {
      region: "us-east",
      ready: true,
      because: "8 of 8 checks passed",
      at: 1_234,
    });
    const not = await standbysWith({ [key]: NOT, ...reporting });
    assert.deepEqual(
      [not["us-east"]?.ready, not["us-east"]?.because],
      [false, "index handbook lags 12.0 s"],
    );
  });

  test("whose agent fell silent is unknown, never ready, and says what was last known", async () => {
    const silent = await standbysWith({ [key]: READY, ...reporting }, { "agent:us-east": 5_001 });
    assert.deepEqual(silent["us-east"], {
      region: "us-east",
      ready: null,
      because: "its agent is silent; it last said: 8 of 8 checks passed",
      at: 1_234,
    });
  });

  test("is still known at the last millisecond before its agent counts as silent", async () => {
    const late = await standbysWith({ [key]: READY, ...reporting }, { "agent:us-east": 5_000 });
    assert.equal(late["us-east"]?.ready, true);
  });

  test("whose agent never reported is unknown, whatever stands in the store", async () => {
    assert.equal((await standbysWith({ [key]: READY }))["us-east"]?.ready, null);
  });

  test("that nobody has checked is unknown and says so", async () => {
    const found = await standbysWith(reporting);
    assert.deepEqual(found["us-east"], {
      region: "us-east",
      ready: null,
      because: "its agent has not checked it yet",
      at: null,
    });
  });

  test("is judged by the check of its own region and workflow only", async () => {
    const found = await standbysWith({
      [KEYS.readiness("us-east", "other")]: readiness({ workflow: "other" }),
      [KEYS.readiness("ap-south", WORKFLOW)]: readiness({ region: "ap-south" }),
      ...reporting,
      [KEYS.report("agent:ap-south")]: report("ap-south"),
    });
    assert.deepEqual([found["us-east"]?.ready, found["ap-south"]?.ready], [null, true]);
  });

  test("is every region of the workflow that does not serve, the primary as well", async () => {
    const moved = { [KEYS.intent(WORKFLOW)]: intent({ serving: ["us-east"] }) };
    assert.deepEqual(Object.keys(await standbysWith(moved)), ["eu-west", "ap-south"]);
  });
});

describe("a workflow", () => {
  test("shows who serves it, under which epoch, in which mode, moved by what, and why", async () => {
    const { workflows } = await statusWith({
      [KEYS.intent(WORKFLOW)]: intent({ epoch: 9, mode: "no-retrieval", movingBy: "p1" }),
      [KEYS.decision("other")]: decision({ workflow: "other", because: "another's" }),
      [KEYS.decision(WORKFLOW)]: decision({ because: "nothing is wrong" }),
    });
    assert.equal(workflows.length, 1);
    assert.partialDeepStrictEqual(workflows[0], {
      workflow: WORKFLOW,
      serving: ["eu-west"],
      epoch: 9,
      mode: "no-retrieval",
      movingBy: "p1",
      lastDecision: "nothing is wrong",
      rtoMs: spec.workflows[WORKFLOW]?.rto,
      rpoMs: spec.workflows[WORKFLOW]?.rpo,
    });
  });

  test("is there before any controller was, served by nobody, with all of its regions", async () => {
    const { workflows, ...estate } = await statusWith({ other: 1 });
    assert.partialDeepStrictEqual(workflows[0], {
      serving: [],
      epoch: 0,
      mode: "normal",
      movingBy: null,
      lastDecision: "no controller has decided anything yet",
    });
    assert.equal(workflows[0]?.standbys.length, 3);
    assert.deepEqual(
      [estate.leader, estate.snapshot, estate.releaseDigest, estate.recent, estate.plans],
      [null, null, null, [], []],
    );
  });
});

describe("a region", () => {
  test("is shown by its agent's report: fresh, silent since, or never seen", async () => {
    const { regions } = await statusWith(
      {
        [KEYS.report("agent:eu-west")]: report("eu-west"),
        [KEYS.report("agent:us-east")]: report("us-east"),
      },
      { "agent:us-east": 60_000 },
    );
    assert.deepEqual(
      regions.map(({ region, agent, gatewaySnapshot, indexes }) => [
        region,
        agent,
        // A number from a minute ago would say that a dead gateway serves.
        gatewaySnapshot,
        indexes.length,
      ]),
      [
        ["eu-west", "reporting", 5, 1],
        ["us-east", "silent", null, 1],
        ["ap-south", "never seen", null, 0],
      ],
    );
  });

  test("whose gateway does not answer its agent shows no snapshot", async () => {
    const mute = { ...report("eu-west"), gateway: null };
    const { regions } = await statusWith({ [KEYS.report("agent:eu-west")]: mute });
    assert.deepEqual([regions[0]?.agent, regions[0]?.gatewaySnapshot], ["reporting", null]);
  });
});

describe("targets that are not well", () => {
  const TROUBLE = {
    domain: "capacity-loss",
    standing: "out",
    sinceMs: 4_000,
    ejections: 2,
  } as const;
  const SEEN = {
    observer: "agent:us-east",
    observerRegion: "us-east",
    seq: 1,
    subject: { region: "eu-west", part: "target", target: "gpu-1", gateway: "eu-west" },
    at: 9_000,
    ok: false,
    detail: "3 failures in a row",
    latencyMs: 1,
    trouble: TROUBLE,
  } as const;
  const seenBy = (region: string, over: object = {}) => ({
    [KEYS.report(`agent:${region}`)]: {
      ...report(region),
      monotonicNow: 10_000,
      signals: [{ ...SEEN, observer: `agent:${region}`, ...over }],
    },
  });

  test("are told with region, gateway, standing, time, ejections in a row, and why", async () => {
    const { targets } = await statusWith(seenBy("us-east"));
    assert.deepEqual(targets, [
      {
        target: "gpu-1",
        region: "eu-west",
        gateway: "eu-west",
        observer: "agent:us-east",
        ...TROUBLE,
        sinceMs: 5_000,
        because: "3 failures in a row",
      },
    ]);
  });

  test("are told once, as the newest look says, and not once they are well again", async () => {
    const two = { ...seenBy("us-east"), ...seenBy("eu-west", { at: 9_500 }) };
    assert.deepEqual(
      (await statusWith(two)).targets.map(({ observer, sinceMs }) => [observer, sinceMs]),
      [["agent:eu-west", 4_500]],
    );
    const well = { at: 9_500, ok: true, trouble: undefined };
    const healed = { ...seenBy("us-east"), ...seenBy("eu-west", well) };
    assert.deepEqual((await statusWith(healed)).targets, []);
  });

  test("are told by no silent agent", async () => {
    const { targets } = await statusWith(seenBy("us-east"), { "agent:us-east": 5_001 });
    assert.deepEqual(targets, []);
  });
});

describe("an estate", () => {
  test("names its leader, its snapshot, its release, its owners", async () => {
    const owner = { index: "handbook", epoch: 1, region: "eu-west", frozen: false };
    const status = await statusWith({
      [KEYS.leader]: { id: "controller:c1", term: 4 },
      [KEYS.snapshot]: { ...SNAPSHOT, number: 12 },
      [KEYS.ownership("handbook")]: owner,
    });
    assert.partialDeepStrictEqual(status, {
      estate: "sim",
      leader: "controller:c1",
      snapshot: 12,
      releaseDigest: "sha256:r",
      ownerships: [owner],
    });
  });

  test("shows plans under way with the step that they are at, and no others", async () => {
    const { plans } = await statusWith({
      ...Object.fromEntries(["p1", "p2", "p3", "p4", "p5"].map((id) => [KEYS.plan(id), plan(id)])),
      [KEYS.planState("p1")]: planState("p1", { next: 1 }),
      [KEYS.planState("p2")]: planState("p2", { status: "completed", next: 3 }),
      [KEYS.planState("p3")]: planState("p3", { status: "failed", next: 1 }),
      [KEYS.planState("p4")]: planState("p4", { status: "undoing", next: 2 }),
      [KEYS.planState("p5")]: planState("p5", { next: 3 }),
      [KEYS.planState("lost")]: planState("lost"),
    });
    assert.deepEqual(plans, [
      { id: "p1", workflow: WORKFLOW, kind: "failover", at: "open-traffic" },
      { id: "p4", workflow: WORKFLOW, kind: "failover", at: "prove-traffic" },
      { id: "p5", workflow: WORKFLOW, kind: "failover", at: "finishing" },
    ]);
  });

  test("ends with the newest eight sentences of the record, the newest last", async () => {
    const { recent } = await statusWith(record(11));
    assert.equal(recent.length, 8);
    assert.deepEqual(recent[0], { at: 40, text: "sentence 4" });
    assert.deepEqual(recent.at(-1), { at: 110, text: "sentence 11" });
  });
});

describe("what another version wrote, or what is damaged", () => {
  const good: Values = {
    [KEYS.intent(WORKFLOW)]: intent(),
    [KEYS.leader]: { id: "c1", term: 1 },
    [KEYS.snapshot]: SNAPSHOT,
    [KEYS.report("agent:us-east")]: report("us-east"),
    [KEYS.readiness("us-east", WORKFLOW)]: readiness(),
    [KEYS.plan("p1")]: plan("p1"),
    [KEYS.planState("p1")]: planState("p1"),
    [KEYS.decision(WORKFLOW)]: decision(),
  };
  const damages: readonly (readonly [string, unknown])[] = [
    [KEYS.leader, "c1"],
    [KEYS.leader, null],
    [KEYS.snapshot, { payload: "{ torn" }],
    [KEYS.snapshot, { payload: "null" }],
    [KEYS.snapshot, "x"],
    [KEYS.evidenceHead, { seq: "nine" }],
  ];
  for (const [key, value] of damages) {
    test(`${key} as ${JSON.stringify(value)} hides itself and nothing else`, async () => {
      const status = await statusWith({ ...good, [key]: value });
      assert.equal(status.workflows[0]?.standbys[0]?.ready, true);
      assert.equal(status.plans.length, 1);
      if (key === KEYS.leader) assert.equal(status.leader, null);
      if (key === KEYS.snapshot) assert.equal(status.snapshot, null);
    });
  }

  test("is skipped wherever entries are listed, beside those that are well", async () => {
    const strangers = Object.fromEntries(
      [KEYS.intents, KEYS.reports, KEYS.readinesses, KEYS.plans, KEYS.planStates, KEYS.decisions]
        // "!" sorts before every name: the stranger is met first.
        .map((prefix) => [`${prefix}!`, { version: 2, workflow: WORKFLOW, region: "us-east" }]),
    );
    const status = await statusWith({ ...good, ...strangers });
    assert.deepEqual(status, await statusWith(good));
  });

  test("is no cover for a store that does not answer: that is said", async () => {
    const store = await storeWith(good);
    store.reachable = false;
    await assert.rejects(
      readStatus(store, spec, () => 0),
      (error) => error instanceof TideoverError && error.code === "STORE_UNAVAILABLE",
    );
  });
});
