import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TideoverError } from "../lib/errors.ts";
import type { Plan } from "../model/plan.ts";
import type { Agents } from "../ports/agents.ts";
import { simSpec } from "../sim/estate.ts";
import { simTraffic } from "../sim/ports.ts";
import { World } from "../sim/world.ts";

test("a standby that is not ready gets no traffic; the reason is told, and it is tried again", async () => {
  const world = new World();
  const c1 = world.start("c1");
  world.region("us-east").unready.set("rag-search", "prompt version sha256:old is loaded");
  await world.run(3_000);
  world.kill("eu-west");
  await world.run(20_000);
  assert.deepEqual(world.intent().serving, ["eu-west"]);
  assert.match(c1.controller.status().because, /us-east.*prompt version sha256:old is loaded/);
  world.region("us-east").unready.clear();
  await world.until("us-east serves", () => isServedBy(world, "us-east"), 3_000);
});

test("a standby whose proof fails in the plan gets no traffic, and is tried again when it can", async () => {
  const world = new World();
  const c1 = world.start("c1");
  await world.run(3_000);
  c1.process.once("agents.readiness", () =>
    world.region("us-east").unready.set("rag-search", "its index is 40 s behind"),
  );
  world.kill("eu-west");
  const first = () => world.plans()[0]?.state;
  await world.until("the plan failed", () => first()?.status === "failed");
  assert.match(first()?.because ?? "", /us-east is not ready: its index is 40 s behind/);
  assert.deepEqual(world.intent().serving, ["eu-west"]);
  assert.equal(world.intent().movingBy, null);
  world.region("us-east").unready.clear();
  await world.until("us-east serves", () => isServedBy(world, "us-east"), 15_000);
});

test("a request that cannot be carried out is refused at once, and not kept for later", async () => {
  const world = new World();
  world.start("c1");
  await world.run(3_000);
  world.kill("us-east");
  await world.run(10_000);
  world.request({ kind: "switchover", workflow: "rag-search", to: "us-east" });
  await world.run(1_000);
  const refusal = world.evidence().findLast(({ kind }) => kind === "request");
  assert.match(
    refusal?.text ?? "",
    /^ada's switchover of rag-search is refused: (?!.*is refused).*us-east/,
  );
  assert.deepEqual(world.backend.list("request/"), []);
  world.resume("us-east");
  await world.run(20_000);
  assert.deepEqual(world.plans(), []);
});

test("a request for a workflow that the spec does not have is refused", async () => {
  const world = new World();
  world.start("c1");
  await world.run(1_000);
  world.request({ kind: "failover", workflow: "nonsense" });
  await world.run(1_000);
  assert.deepEqual(world.backend.list("request/"), []);
  assert.match(world.evidence().at(-1)?.text ?? "", /there is no workflow nonsense/);
});

test("two planned moves do not drain one index at the same time", async () => {
  const world = new World({ spec: simSpec({ workflows: { chat: {}, search: {} } }) });
  world.start("c1");
  await world.run(3_000);
  world.request({ kind: "switchover", workflow: "chat", to: "us-east" });
  world.request({ kind: "switchover", workflow: "search", to: "us-east" });
  await world.until("chat is moved", () => isServedBy(world, "us-east", "chat"));
  await world.run(2_000);
  const freezes = world.evidence().filter(({ data }) => data.step === "freeze-index-handbook");
  assert.deepEqual(new Set(freezes.map(({ workflow }) => workflow)).size, 1);
  assert.equal(world.ownership().frozen, false);
});

/** A fault that lasts: every call of this method throws until it is mended. */
function broken(
  world: World,
  agents: Agents,
  method: keyof Agents,
  mended: () => boolean,
): Partial<Agents> {
  const reason = `${method} does not work`;
  const working: (...args: never[]) => Promise<unknown> = agents[method];
  return {
    [method]: async (...args: never[]) => {
      await world.clock.sleep(1);
      if (mended()) return working(...args);
      throw new TideoverError(reason, { code: "PEER_UNAVAILABLE", retry: "later" });
    },
  };
}

describe("a step fails", () => {
  const before: readonly { step: string; method: keyof Agents; nth: number }[] = [
    { step: "prove-readiness", method: "readiness", nth: 1 },
    { step: "freeze-index-handbook", method: "obeyOwnership", nth: 1 },
    { step: "catch-up-index-handbook", method: "catchUp", nth: 1 },
    { step: "reprove-readiness", method: "readiness", nth: 2 },
    { step: "promote-index-handbook", method: "obeyOwnership", nth: 2 },
  ];
  for (const { step, method, nth } of before) {
    test(`${step} of a switchover: all is put back, and the old region serves and writes`, async () => {
      const world = new World();
      failFrom(world, method, nth, () => statuses(world).includes("undoing"));
      await world.run(3_000);
      assert.equal(world.write("handbook", "a"), true);
      world.request({ kind: "switchover", workflow: "rag-search", to: "us-east" });
      await world.until("a plan is over", () => statuses(world).includes("failed"), 200_000);
      const [{ plan, state } = assert.fail("no plan")] = world.plans();
      const at = plan.steps.findIndex(({ id }) => id === step);
      assert.match(state.because, new RegExp(`^${step} failed: ${method} does not work`));
      assert.deepEqual(
        state.steps.map(({ status }) => status),
        plan.steps.map((_, index) => (index < at ? "undone" : index === at ? "failed" : "pending")),
      );
      expectUnmoved(world, plan);
    });
  }

  test("open-traffic: nobody was told anything, and all is put back", async () => {
    const world = new World();
    let refuses = true;
    const refusal = new TideoverError("the key is missing", { code: "STEP_FAILED" });
    world.start("c1", {
      sign: (payload) => {
        if (refuses && JSON.parse(payload).number > 1) {
          // Taken by the new owner before anything is put back: it must not be lost.
          assert.equal(world.write("handbook", "late"), true);
          refuses = false;
          throw refusal;
        }
        return { payload, keyId: "sim", signature: "sim" };
      },
    });
    await world.run(3_000);
    world.request({ kind: "switchover", workflow: "rag-search", to: "us-east" });
    await world.until("a plan is over", () => statuses(world).includes("failed"), 200_000);
    const [{ plan, state } = assert.fail("no plan")] = world.plans();
    assert.equal(state.because, "open-traffic failed: the key is missing");
    expectUnmoved(world, plan);
    assert.deepEqual(world.region("eu-west").index("handbook").changes, ["late"]);
    assert.deepEqual(world.region("eu-west").index("handbook").orphans, []);
  });

  const behind: readonly { step: string; fail: (world: World) => void }[] = [
    { step: "prove-traffic", fail: (world) => failFrom(world, "canary", 1) },
    {
      step: "announce",
      fail: (world) =>
        world.start("c1", {
          notify: {
            sent: async () => false,
            send: async () => {
              throw new TideoverError("the status page is down", { code: "PEER_UNAVAILABLE" });
            },
          },
        }),
    },
  ];
  for (const { step, fail } of behind) {
    test(`${step} of a failover: behind the point of no return, traffic is not moved back`, async () => {
      const world = new World();
      fail(world);
      await world.run(3_000);
      world.kill("eu-west");
      await world.until("the plan is over", () => statuses(world).includes("failed"), 200_000);
      const [{ state } = assert.fail("no plan")] = world.plans();
      assert.match(state.because, new RegExp(`behind the point of no return.*${step} failed`));
      const { serving, movingBy, epoch } = world.intent();
      assert.deepEqual(
        { serving, movingBy, epoch },
        { serving: ["us-east"], movingBy: null, epoch: 2 },
      );
      assert.deepEqual([world.ownership().region, world.ownership().frozen], ["us-east", false]);
      await world.run(20_000);
      assert.equal(world.plans().length, 1, "and nothing is tried on top of it");
    });
  }

  test("a living gateway that never adopts the snapshot fails the plan, and traffic stays open", async () => {
    const world = new World();
    const traffic = simTraffic({ ...world, from: "c1" });
    const full = { reachable: true, number: 1, lastError: "no space left on device" } as const;
    world.start("c1", {
      traffic: {
        publish: async (to, signed) => (to === "eu-west" ? full : traffic.publish(to, signed)),
        acknowledged: async (of) => (of === "eu-west" ? full : traffic.acknowledged(of)),
      },
    });
    await world.run(3_000);
    world.request({ kind: "switchover", workflow: "rag-search", to: "us-east" });
    await world.until("the plan is over", () => statuses(world).includes("failed"), 100_000);
    const [{ state } = assert.fail("no plan")] = world.plans();
    assert.match(
      state.because,
      /eu-west's gateway serves snapshot 1, not 2: no space left on device/,
    );
    assert.deepEqual(world.intent().serving, ["us-east"]);
  });

  test("an index that cannot be drained back stays, thawed, with the region that has every change", async () => {
    const world = new World();
    failFrom(world, "obeyOwnership", 2);
    await world.run(3_000);
    world.request({ kind: "switchover", workflow: "rag-search", to: "us-east" });
    await world.until("the plan is over", () => statuses(world).includes("failed"), 200_000);
    assert.deepEqual([world.ownership().region, world.ownership().frozen], ["us-east", false]);
    assert.deepEqual(world.intent().serving, ["eu-west"]);
    await world.run(1_000);
    assert.equal(world.write("handbook", "a"), true, "somebody may write it");
  });

  test("the promotion of a failover is not put back into the dead region", async () => {
    const world = new World();
    failFrom(world, "obeyOwnership", 1);
    await world.run(3_000);
    world.kill("eu-west");
    await world.until("the plan is over", () => statuses(world).includes("failed"), 100_000);
    const [{ state } = assert.fail("no plan")] = world.plans();
    assert.match(state.steps[2]?.evidence ?? "", /handbook stays with us-east/);
    assert.deepEqual([world.ownership().region, world.ownership().frozen], ["us-east", false]);
    assert.deepEqual(world.intent().serving, ["eu-west"]);
  });
});

/** Starts a controller whose agents fail in one method, from its n-th call of a plan's on. */
function failFrom(
  world: World,
  method: keyof Agents,
  nth: number,
  mended: () => boolean = () => false,
): void {
  const c1 = world.start("c1");
  let seen = 0;
  const fault = broken(world, c1.agents, method, mended);
  c1.process.onCall = (port, called, when) => {
    if (port !== "agents" || called !== method || when !== "before") return;
    seen += 1;
    if (seen === nth) Object.assign(c1.agents, fault);
  };
}

/** The old region serves and writes, under the epochs that were used up on the way. */
function expectUnmoved(world: World, plan: Plan): void {
  const { serving, movingBy } = world.intent();
  assert.deepEqual({ serving, movingBy }, { serving: ["eu-west"], movingBy: null });
  assert.deepEqual([world.ownership().region, world.ownership().frozen], ["eu-west", false]);
  assert.deepEqual(world.region("us-east").snapshot?.workflows["rag-search"]?.serving, ["eu-west"]);
  assert.deepEqual(world.notify.notices, []);
  assert.equal(plan.decision.kind, "switchover");
}

function statuses(world: World): string[] {
  return world.plans().map(({ state }) => state.status);
}

function isServedBy(world: World, region: string, workflow = "rag-search"): boolean {
  const { serving, movingBy } = world.intent(workflow);
  return movingBy === null && serving.join() === region;
}
