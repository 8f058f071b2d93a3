import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  type AgentWorld,
  createAgentWorld,
  DOCUMENTS,
  INDEX,
  RELEASE,
  TOKEN,
  until,
  WORKFLOW,
} from "../../../test/support/agent-world.ts";
import { KEYS } from "../../model/keys.ts";
import { type Readiness, readinessSchema } from "../../model/readiness.ts";
import { AGENT_PATHS } from "../../wire/headers.ts";

let world: AgentWorld;
beforeEach(async () => {
  world = await createAgentWorld();
  await world.eu.start();
  await world.us.start();
  await world.eu.ask("POST", AGENT_PATHS.changes(INDEX), DOCUMENTS);
  await until("the replica to be level", isLevel);
});
afterEach(() => world.close());

async function isLevel(): Promise<boolean> {
  const [eu, us] = await Promise.all([world.eu.index.position(), world.us.index.position()]);
  return eu.seq > 0 && eu.digest === us.digest;
}

async function prove(given: object = {}): Promise<Readiness> {
  const { status, body } = await world.us.ask("POST", AGENT_PATHS.readiness, {
    workflow: WORKFLOW,
    ...given,
  });
  assert.equal(status, 200);
  return readinessSchema.parse(body);
}

function failedIn({ checks }: Readiness): string[] {
  return checks.filter(({ pass }) => !pass).map(({ name }) => name);
}

describe("a standby that is as it should be", () => {
  it("is ready, with the evidence of all eight checks", async () => {
    const readiness = await prove({ exactIndex: true });
    assert.deepEqual([readiness.ready, readiness.because], [true, "8 of 8 checks passed"]);
    assert.deepEqual(
      readiness.checks.map(({ name }) => name),
      [
        "model",
        "release",
        "index-fresh",
        "index-health",
        "tenant-isolation",
        "audit",
        "rate-limit",
        "golden",
      ],
    );
  });

  it("exercises the standby itself: every question carries the estate's token", async () => {
    await prove();
    const { readinessHeaders } = world.us.gateway;
    assert.ok(readinessHeaders.length > 0);
    assert.ok(readinessHeaders.every((header) => header === TOKEN));
  });

  it("sends its canary as a caller would, without the token", async () => {
    const before = world.us.gateway.readinessHeaders.length;
    const { body } = await world.us.ask("POST", AGENT_PATHS.canary, { workflow: WORKFLOW });
    const { ok, region, epoch, mode } = body as Record<string, unknown>;
    assert.deepEqual([ok, region, epoch, mode], [true, "us-east", 1, "normal"]);
    assert.ok(world.us.gateway.readinessHeaders.slice(before).includes(undefined));
  });

  it("stays ready when its owner dies, judged by where that stood", async () => {
    await prove();
    world.eu.relay.cut();
    const readiness = await prove();
    assert.equal(readiness.ready, true);
    const index = readiness.checks.find(({ name }) => name === "index-fresh");
    assert.match(index?.evidence ?? "", /it does not answer/);
    assert.equal((await prove({ exactIndex: true })).ready, false);
  });

  it("is ready although a snapshot was published in the very moment of the check", async () => {
    // Nobody but the controller hands it over, and that takes some looks more.
    world.us.gateway.says.takesSnapshots = false;
    const before = world.us.gateway.number;
    let looks = 0;
    Object.defineProperty(world.us.gateway, "number", {
      get: () => (++looks > 20 ? before + 1 : before),
    });
    const payload = JSON.stringify({
      number: before + 1,
      regions: { "us-east": { release: RELEASE.digest } },
      releases: { [RELEASE.digest]: { body: RELEASE.body } },
    });
    const value = { payload, keyId: "", signature: "", number: before + 1 };
    world.backend.commit({ compare: [], operations: [{ put: KEYS.snapshot, value }] });
    const readiness = await prove();
    const release = readiness.checks.find(({ name }) => name === "release");
    assert.ok(release?.pass, `${release?.evidence}, after ${looks} looks`);
  });

  it("is judged without the store by what is known", async () => {
    world.us.store.reachable = false;
    assert.equal((await prove()).ready, true);
  });

  it("asks costly questions seldom when nobody wants to know", async () => {
    const read = async () =>
      readinessSchema.parse((await world.us.store.get(KEYS.readiness("us-east", WORKFLOW)))?.value);
    const remembered = ({ checks }: Readiness) =>
      checks.filter(({ evidence }) => / \(asked .* ago\)$/.test(evidence)).map(({ name }) => name);
    const costly = ["model", "tenant-isolation", "golden"];
    await until("a run that asks none of the costly ones", async () =>
      read().then(
        (readiness) => readiness.ready && remembered(readiness).join() === costly.join(),
        () => false,
      ),
    );
    // A plan that asks gets no old answer.
    assert.deepEqual(remembered(await prove()), []);
  });
});

describe("a standby with a fault", () => {
  const faults: readonly [name: string, spoil: () => unknown, failed: readonly string[]][] = [
    [
      "a gateway that lets others answer",
      () => Object.assign(world.us.gateway.says, { region: "eu-west" }),
      ["release", "audit"],
    ],
    [
      "an old release",
      () => Object.assign(world.us.gateway.says, { release: "sha256:old" }),
      ["release", "audit"],
    ],
    [
      "a leak between tenants",
      () => Object.assign(world.us.gateway.says, { leak: true }),
      ["tenant-isolation"],
    ],
    [
      "no rate limit in force",
      () => Object.assign(world.us.gateway.says, { limit: "6" }),
      ["rate-limit"],
    ],
    [
      "an audit log that keeps nothing",
      () => Object.assign(world.us.gateway.says, { keepsAudit: false }),
      ["tenant-isolation", "audit", "golden"],
    ],
    ["no runtime", () => world.runtime.close(), ["model", "tenant-isolation"]],
    [
      "an index that cannot be read",
      () => world.us.index.spoil("disk gone"),
      [
        "release",
        "index-fresh",
        "index-health",
        "tenant-isolation",
        "audit",
        "rate-limit",
        "golden",
      ],
    ],
    [
      "no gateway",
      () => world.us.gateway.close(),
      ["release", "tenant-isolation", "audit", "rate-limit", "golden"],
    ],
  ];
  for (const [name, spoil, failed] of faults) {
    it(`is not ready with ${name}, and says which checks fail`, async () => {
      await spoil();
      const readiness = await prove({ timeoutMs: 5_000 });
      assert.deepEqual(failedIn(readiness), failed);
      assert.equal(readiness.ready, false);
      assert.ok(readiness.because.startsWith(`${failed[0]}: `));
    });
  }
});
