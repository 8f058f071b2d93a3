import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { createSystemClock } from "../../src/adapters/clock-system/clock.ts";
import { openSqliteStore } from "../../src/adapters/store-sqlite/store.ts";
import { keysOf } from "../../src/app/estate.ts";
import { verifyChain } from "../../src/core/evidence/chain.ts";
import { indexSubject } from "../../src/model/decision.ts";
import { intentSchema, ownershipSchema } from "../../src/model/intent.ts";
import { KEYS } from "../../src/model/keys.ts";
import {
  type Plan,
  type PlanState,
  planSchema,
  planStateSchema,
  STEP_KINDS,
} from "../../src/model/plan.ts";
import type { Store } from "../../src/ports/store.ts";
import { callerOf, startTraffic, unexcused, WORKFLOWS } from "../support/callers.ts";
import { eventually, startSample, type TestEstate } from "../support/estate.ts";

const CONTROLLERS = ["127.0.0.1:7100", "127.0.0.1:7101"];
/** Moves the index too, so that its plan has every kind of step. */
const MOVED = "support-search";
/** A plan that is taken over waits for the lease of the dead leader first. */
const PLAN_MS = 40_000;

describe("controllers that are killed in the middle of a plan", () => {
  let up: TestEstate;
  let store: Store;
  /** Step kinds at which a leader was killed, and whether it was before their proof was written. */
  const killedAt = new Map<string, "begun" | "proven">();

  before(async () => {
    up = await startSample([[["controllers"], CONTROLLERS]]);
    store = openSqliteStore({ path: up.estate.data.store, clock: createSystemClock() });
  });
  after(async () => {
    await store?.close();
    await up?.stop();
  });

  it("have one leader", async () => {
    const views = await Promise.all(up.estate.spec.controllers.map(viewOf));
    assert.equal(views.filter(({ leads }) => leads).length, 1);
    const leader = views.find(({ leads }) => leads)?.id;
    await eventually("the other one to follow it", async () => {
      const seen = await Promise.all(up.estate.spec.controllers.map(viewOf));
      return seen.every((view) => view.leader === leader);
    });
  });

  /** Every step of a switchover once, in as few moves as leave time for a successor between two. */
  const ROUNDS = [
    ["prove-readiness", "catch-up-index-handbook", "open-traffic", "announce"],
    ["take-ownership", "reprove-readiness", "confirm-acknowledged"],
    ["freeze-index-handbook", "promote-index-handbook", "prove-traffic"],
  ];

  for (const round of ROUNDS) {
    it(`finish a switchover whose leaders are killed at ${round.join(", ")}`, async (t) => {
      const traffic = startTraffic(
        t,
        ["eu-west", "us-east"].map((region) => callerOf(up, region)),
      );
      const [, to] = await fromAndTo();
      await standbysReady(to, [MOVED]);
      const before = await momentOf(MOVED);
      await up.control.move("switchover", MOVED, { to, by: "a test" });
      const planId = await planOf(MOVED, before.planIds);
      for (const stepId of round) {
        await reached(planId, stepId);
        await killLeader(planId, stepId);
      }
      await completed(planId);
      await assertOnce(MOVED, planId, before, { to, ownershipChanges: 2 });
      const { answered, failures } = await traffic.stop();
      assert.deepEqual(failures, []);
      assert.ok(answered > 0);
    });
  }

  it("were killed at every step of a planned move", async () => {
    const { steps } = await readPlan((await momentOf(MOVED)).planIds[0] ?? assert.fail());
    assert.deepEqual(ROUNDS.flat().toSorted(), steps.map(({ id }) => id).toSorted());
  });

  it("let a leader that stood still find out that it leads no more", async (t) => {
    const [, to] = await fromAndTo();
    const before = await momentOf(MOVED);
    await standbysReady(to, [MOVED]);
    const stopped = await leader();
    await up.control.move("switchover", MOVED, { to, by: "a test" });
    const planId = await planOf(MOVED, before.planIds);
    await reached(planId, "prove-readiness");
    await standStill(t, stopped.process);
    // Not the very next term: on a busy machine a leader may miss its own lease.
    await eventually("the other controller to lead", async () => {
      return ((await leaderOrNull())?.term ?? 0) > stopped.term;
    });
    const successor = await leader();
    assert.notEqual(successor.id, stopped.id);
    await completed(planId);
    const journal = await store.get(KEYS.planState(planId));

    up.supervisor.signalProcess(stopped.process, "SIGCONT");
    await eventually("the resumed controller to follow", async () => {
      const view = await viewOf(stopped.address);
      return !view.leads && view.leader !== null && view.leader !== stopped.id;
    });
    const log = readFileSync(up.estate.data.log(stopped.process.replaceAll(":", "-")), "utf8");
    assert.match(log, new RegExp(`${stopped.id} leads no more: `));
    t.diagnostic(/leads no more: [^"]*/.exec(log)?.[0] ?? "");
    // Its step was under way when it stopped: what it made of it afterwards must not be written.
    assert.deepEqual(await store.get(KEYS.planState(planId)), journal);
    await assertOnce(MOVED, planId, before, { to, ownershipChanges: 2 });
  });

  it("finish a move of an index alone whose leaders are killed at every step", async () => {
    const [owner, other] = await fromAndTo();
    const epochs = await Promise.all(WORKFLOWS.map((name) => intentOf(name)));
    const before = await ownershipEpoch();
    for (const [to, kills] of [[other, true] as const, [owner, false] as const]) {
      const { planIds } = await momentOf(indexSubject("handbook"), MOVED);
      await up.control.moveIndex("handbook", { to, by: "a test", acceptLoss: false });
      let planId = "";
      await soon("a plan of the index", async () => {
        const now = await momentOf(indexSubject("handbook"), MOVED);
        planId = now.planIds.find((id) => !planIds.includes(id)) ?? "";
        return planId !== "";
      });
      const { steps } = await readPlan(planId);
      for (const { id } of kills ? steps : []) {
        await reached(planId, id);
        await killLeader(planId, id);
      }
      await completed(planId);
    }
    assert.equal(await ownershipEpoch(), before + 4, "each move freezes and promotes once");
    assert.deepEqual(await store.list(KEYS.indexHolds), []);
    assert.deepEqual(await Promise.all(WORKFLOWS.map((name) => intentOf(name))), epochs);
  });

  it("finish a failover whose leaders are killed one after the other, at every step", async (t) => {
    const [from, to] = await fromAndTo();
    await standbysReady(to, [...WORKFLOWS]);
    for (const workflow of WORKFLOWS) await moveTo(workflow, from);
    await standbysReady(to, [...WORKFLOWS]);
    const before = new Map<string, Moment>();
    for (const workflow of WORKFLOWS) before.set(workflow, await momentOf(workflow));
    const traffic = startTraffic(t, [callerOf(up, to)]);

    const diedAt = Date.now();
    await up.supervisor.killRegion(from);
    const planId = await planOf(MOVED, before.get(MOVED)?.planIds ?? []);
    const { steps } = await readPlan(planId);
    for (const { id } of steps) {
      await reached(planId, id);
      await killLeader(planId, id);
    }
    const opened: number[] = [];
    for (const workflow of WORKFLOWS) {
      const moment = before.get(workflow) ?? assert.fail();
      const id = workflow === MOVED ? planId : await planOf(workflow, moment.planIds);
      await completed(id);
      opened.push(await openedAt(id));
      const ownershipChanges = 1;
      await assertOnce(workflow, id, moment, { to, ownershipChanges });
    }
    const { answered, failures } = await traffic.stop();
    const openedMs = Math.max(...opened) - diedAt;
    // Each dead leader costs its lease.
    assert.deepEqual(unexcused(failures, openedMs), [], `open after ${openedMs} ms`);
    assert.ok(answered > 0);
    t.diagnostic(`${steps.length} leaders killed in one failover, open after ${openedMs} ms`);
  });

  it("were killed at every kind of step, and left one unbroken record", async (t) => {
    const begun = [...killedAt].filter(([, when]) => when === "begun").map(([kind]) => kind);
    t.diagnostic(`killed between begin and proof of: ${begun.join(", ")}`);
    const ofMoves = STEP_KINDS.filter((kind) => !kind.endsWith("-release"));
    assert.deepEqual([...killedAt.keys()].toSorted(), ofMoves.toSorted());
    assert.ok(begun.length >= 3, `the kills came too late: only ${begun.join(", ")}`);
    assert.deepEqual(verifyChain(await up.control.evidence(0)), { ok: true });
  });

  interface Moment {
    readonly planIds: readonly string[];
    readonly epoch: number;
    readonly ownershipEpoch: number;
  }

  /** `subject`: whose plans, where that is no workflow. */
  async function momentOf(subject: string, workflow = subject): Promise<Moment> {
    const plans = (await store.list(KEYS.plans)).map(({ value }) => planSchema.parse(value));
    return {
      planIds: plans.filter((plan) => plan.workflow === subject).map(({ id }) => id),
      epoch: (await intentOf(workflow)).epoch,
      ownershipEpoch: await ownershipEpoch(),
    };
  }

  /** One plan, one epoch, one announcement: however many controllers had a hand in it. */
  async function assertOnce(
    workflow: string,
    planId: string,
    before: Moment,
    expected: { readonly to: string; readonly ownershipChanges: number },
  ): Promise<void> {
    const now = await momentOf(workflow);
    assert.deepEqual(now.planIds.toSorted(), [...before.planIds, planId].toSorted());
    const intent = await intentOf(workflow);
    assert.equal(intent.epoch, before.epoch + 1);
    assert.deepEqual(intent.serving, [expected.to]);
    assert.equal(intent.movingBy, null);
    assert.equal(now.ownershipEpoch, before.ownershipEpoch + expected.ownershipChanges);
    const notices = readFileSync(up.estate.data.notices, "utf8").trimEnd().split("\n");
    const told = notices.filter((line) => JSON.parse(line).id === planId);
    assert.equal(told.length, 1, `${planId} was announced ${told.length} times`);
    const recorded = (await up.control.evidence(0)).filter((entry) => entry.planId === planId);
    const ends = recorded.filter(({ kind, data }) => kind === "plan" && data.status);
    assert.equal(ends.filter(({ data }) => data.status === "completed").length, 1);
    assert.equal(recorded.filter(({ kind }) => kind === "announcement").length, 1);
  }

  /** Kills whoever leads, and starts it again while its successor waits for the lease. */
  async function killLeader(planId: string, stepId: string): Promise<void> {
    const { process } = await leader();
    await up.supervisor.killProcess(process);
    const plan = await readPlan(planId);
    const at = plan.steps.findIndex(({ id }) => id === stepId);
    const kind = plan.steps[at]?.kind ?? assert.fail(`${planId} has no step ${stepId}`);
    const found = (await readState(planId)).steps[at]?.status;
    if (found === "started") killedAt.set(kind, "begun");
    else if (!killedAt.has(kind)) killedAt.set(kind, "proven");
    await up.supervisor.startProcess(process);
  }

  /**
   * Stops a process between two writes. Caught inside one, it would keep the file's write lock for
   * as long as it stands still, and nobody else could lead: the embedded store's known limit. Each
   * look lasts far less than a lease, or a leader that was caught in a write would have lost it by
   * the time it goes on.
   */
  async function standStill(t: TestContext, process: string): Promise<void> {
    const { path, clock } = { path: up.estate.data.store, clock: createSystemClock() };
    const prober = openSqliteStore({ path, clock, busyTimeoutMs: 100 });
    t.after(async () => {
      up.supervisor.signalProcess(process, "SIGCONT");
      await prober.close();
    });
    for (;;) {
      up.supervisor.signalProcess(process, "SIGSTOP");
      const lease = await prober.grantLease(1_000).catch(() => null);
      if (lease !== null) return prober.revokeLease(lease);
      up.supervisor.signalProcess(process, "SIGCONT");
      // Time to end its write, and to renew its lease.
      await pause(100);
    }
  }

  /** Moves a workflow in peace; nothing when it is there. */
  async function moveTo(workflow: string, region: string): Promise<void> {
    const { serving } = await intentOf(workflow);
    if (serving.includes(region)) return;
    await standbysReady(region, [workflow]);
    const { planIds } = await momentOf(workflow);
    await up.control.move("switchover", workflow, { to: region, by: "a test" });
    await completed(await planOf(workflow, planIds));
  }

  async function standbysReady(region: string, workflows: readonly string[]): Promise<void> {
    await eventually(`${region} to be ready for ${workflows.join(", ")}`, async () => {
      const status = await up.control.status();
      return workflows.every((name) => {
        const workflow = status.workflows.find((one) => one.workflow === name);
        if (workflow?.serving.includes(region)) return true;
        return workflow?.standbys.some((one) => one.region === region && one.ready === true);
      });
    });
  }

  /** The plan that moves a workflow and that was not there before. */
  async function planOf(workflow: string, known: readonly string[]): Promise<string> {
    let found: string | undefined;
    await soon(`a plan of ${workflow}`, async () => {
      const { movingBy } = await intentOf(workflow);
      const fresh =
        movingBy !== null && !known.includes(movingBy)
          ? movingBy
          : (await momentOf(workflow)).planIds.find((id) => !known.includes(id));
      found = fresh;
      return fresh !== undefined;
    });
    return found ?? assert.fail();
  }

  /** Returns within a few ms of the step's beginning. */
  async function reached(planId: string, stepId: string): Promise<void> {
    await soon(`${stepId} of ${planId} to begin`, async () => {
      const state = await readState(planId);
      assert.notEqual(state.status, "undoing", state.because);
      assert.notEqual(state.status, "failed", state.because);
      return state.steps.find(({ id }) => id === stepId)?.status !== "pending";
    });
  }

  async function completed(planId: string): Promise<void> {
    await soon(`${planId} to be completed`, async () => {
      const { status, because } = await readState(planId);
      assert.notEqual(status, "undoing", because);
      assert.notEqual(status, "failed", because);
      return status === "completed";
    });
  }

  async function readPlan(planId: string): Promise<Plan> {
    return planSchema.parse((await store.get(KEYS.plan(planId)))?.value);
  }

  async function readState(planId: string): Promise<PlanState> {
    return planStateSchema.parse((await store.get(KEYS.planState(planId)))?.value);
  }

  /** When a plan opened traffic: wall clock, ms. */
  async function openedAt(planId: string): Promise<number> {
    const { steps } = await readState(planId);
    return steps.find(({ id }) => id === "open-traffic")?.endedAt ?? assert.fail();
  }

  async function intentOf(workflow: string) {
    return intentSchema.parse((await store.get(KEYS.intent(workflow)))?.value);
  }

  async function ownershipEpoch(): Promise<number> {
    return ownershipSchema.parse((await store.get(KEYS.ownership("handbook")))?.value).epoch;
  }

  async function fromAndTo(): Promise<[from: string, to: string]> {
    const { serving } = await intentOf(MOVED);
    return serving.includes("eu-west") ? ["eu-west", "us-east"] : ["us-east", "eu-west"];
  }

  interface Leader {
    readonly id: string;
    readonly term: number;
    readonly address: string;
    readonly process: string;
  }

  async function leaderOrNull(): Promise<Leader | null> {
    const value = (await store.get(KEYS.leader))?.value;
    if (value === undefined) return null;
    const { id, term } = value as { id: string; term: number };
    const port = id.replace("controller-", ":");
    const address = up.estate.spec.controllers.find((one) => one.endsWith(port)) ?? assert.fail();
    return { id, term, address, process: `controller:${address}` };
  }

  /** On a busy machine a leader may miss its own lease: then the next one is waited for. */
  async function leader(): Promise<Leader> {
    let found: Leader | null = null;
    await soon("somebody to lead", async () => {
      found = await leaderOrNull();
      return found !== null;
    });
    return found ?? assert.fail();
  }

  async function viewOf(address: string) {
    const headers = { authorization: `Bearer ${keysOf(up.estate).token}` };
    const response = await fetch(`http://${address}/v1/status`, { headers });
    const { controller } = (await response.json()) as {
      controller: { id: string; leads: boolean; leader: string | null };
    };
    return controller;
  }
});

/** Like `eventually`, but it looks every few ms: a step may last no longer. */
async function soon(what: string, look: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + PLAN_MS;
  while (performance.now() < end) {
    if (await look()) return;
    await pause(2);
  }
  throw new Error(`waited ${PLAN_MS} ms in vain for ${what}`);
}
