import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { planFor } from "../../core/plans/plan.ts";
import { oneRelease } from "../../core/publish/releases.ts";
import { buildSnapshot, initialIntents } from "../../core/publish/snapshot.ts";
import { TideoverError } from "../../lib/errors.ts";
import type { Decision } from "../../model/decision.ts";
import type { Intent, Ownership } from "../../model/intent.ts";
import { KEYS } from "../../model/keys.ts";
import type { Plan, StepKind } from "../../model/plan.ts";
import type { Position } from "../../model/position.ts";
import type { Agents, CanaryAnswer } from "../../ports/agents.ts";
import type { Acknowledgement } from "../../ports/traffic.ts";
import { SimClock } from "../../sim/clock.ts";
import { SIM_RELEASE, simSpec } from "../../sim/estate.ts";
import { MemoryNotify } from "../../sim/notify.ts";
import { MemoryBackend, MemoryStore } from "../../sim/store.ts";
import { createRecorder } from "../engine/record.ts";
import type { StepContext } from "./step.ts";
import { STEPS } from "./steps.ts";

/** What each step refuses, and what its proof rests on. That they work together: recovery.test.ts. */

const spec = simSpec({ regions: ["eu-west", "us-east", "ap-south"] });
const clock = new SimClock();
const level: Position = { seq: 7, digest: "d".repeat(32), sourceTime: 7_000, count: 7 };

let store: MemoryStore;
let backend: MemoryBackend;
let notify: MemoryNotify;
let agents: Agents;
let acknowledged: Map<string, Acknowledgement>;
let failed: string[];

beforeEach(() => {
  backend = new MemoryBackend(clock);
  store = new MemoryStore(backend);
  notify = new MemoryNotify();
  failed = [];
  acknowledged = new Map();
  agents = {
    readiness: async () => assert.fail("not asked"),
    obeyOwnership: async () => level,
    catchUp: async () => ({ own: level, owner: level }),
    proveIndex: async () => assert.fail("not asked"),
    canary: async () => canaryAnswer(),
    fetchRelease: async () => assert.fail("not asked"),
    verifyRelease: async () => assert.fail("not asked"),
  };
  put(KEYS.leader, { id: "c1", term: 1 });
  put(KEYS.ownership("handbook"), ownership());
  put(KEYS.intent("rag-search"), intent({ movingBy: "plan-1", epoch: 2 }));
  const snapshot = buildSnapshot({ ...snapshotInput(), number: 1 });
  put(KEYS.snapshot, { ...signed(JSON.stringify(snapshot)), number: 1 });
});

describe("take-ownership", () => {
  test("refuses a workflow that another plan holds", async () => {
    put(KEYS.intent("rag-search"), intent({ movingBy: "plan-9" }));
    await rejects(run("take-ownership"), "EPOCH_STALE", /held by plan plan-9 at epoch 1/);
  });

  test("refuses an epoch that is beyond the plan's", async () => {
    put(KEYS.intent("rag-search"), intent({ movingBy: "plan-1", epoch: 3 }));
    await rejects(run("take-ownership"), "EPOCH_STALE", /at epoch 3; this plan acts under 2/);
  });

  test("refuses in the write itself what changed after it was read", async () => {
    put(KEYS.intent("rag-search"), intent({ movingBy: "plan-1" }));
    store.onCommit = () => {
      store.onCommit = undefined;
      put(KEYS.intent("rag-search"), intent({ movingBy: "plan-9", epoch: 5 }));
    };
    await rejects(run("take-ownership"), "STORE_CONFLICT", /intent\/rag-search/);
    assert.equal(stored<Intent>(KEYS.intent("rag-search")).epoch, 5);
  });
});

describe("prove-readiness", () => {
  test("asks for a level index only after the index was drained", async () => {
    const asked: boolean[] = [];
    agents.readiness = async (region, workflow, { exactIndex }) => {
      asked.push(exactIndex);
      return { region, workflow, ready: true, because: "", at: 0, checks: [] };
    };
    await run("prove-readiness");
    await run("prove-readiness", { id: "reprove-readiness" });
    assert.deepEqual(asked, [false, true]);
  });

  test("fails with the reason of every region that is not ready", async () => {
    agents.readiness = async (region, workflow) => ({
      region,
      workflow,
      ready: false,
      because: "the old prompt is loaded",
      at: 0,
      checks: [],
    });
    await rejects(run("prove-readiness"), "STEP_FAILED", /us-east is not ready: the old prompt/);
  });
});

describe("freeze-index and promote-index", () => {
  test("an index that is another region's now is not frozen", async () => {
    put(KEYS.ownership("handbook"), ownership({ region: "ap-south", epoch: 4 }));
    await rejects(run("freeze-index"), "EPOCH_STALE", /handbook is ap-south's, not eu-west's/);
  });

  test("an index that still takes writes is not promoted over", async () => {
    await rejects(run("promote-index"), "STEP_FAILED", /not frozen any more/);
    assert.deepEqual(stored(KEYS.ownership("handbook")), ownership());
  });

  test("a region that is no part of the move is not deposed", async () => {
    put(KEYS.ownership("handbook"), ownership({ region: "ap-south", frozen: true }));
    await rejects(run("promote-index"), "EPOCH_STALE", /handbook is ap-south's now/);
  });

  test("is not proven before the new owner's agent obeys", async () => {
    put(KEYS.ownership("handbook"), ownership({ frozen: true, epoch: 2 }));
    agents.obeyOwnership = async () => {
      throw new TideoverError("no answer", { code: "PEER_UNAVAILABLE", retry: "later" });
    };
    await rejects(run("promote-index"), "PEER_UNAVAILABLE", /no answer/);
  });
});

describe("catch-up-index", () => {
  const unlike: readonly (readonly [string, Position | null])[] = [
    ["is behind", { ...level, seq: 8 }],
    ["counts the same and holds other records", { ...level, digest: "e".repeat(32) }],
    ["holds another number of records", { ...level, count: 8 }],
    ["cannot be compared: its owner does not answer", null],
  ];
  for (const [what, owner] of unlike) {
    test(`is not proven while the copy ${what}`, async () => {
      agents.catchUp = async () => ({ own: level, owner });
      await rejects(run("catch-up-index"), "STEP_FAILED", /us-east/);
    });
  }
});

describe("open-traffic", () => {
  test("never leaves a workflow with nobody to serve it", async () => {
    await rejects(run("open-traffic", { regions: [] }), "STEP_FAILED", /no region to serve it/);
    assert.deepEqual(stored<Intent>(KEYS.intent("rag-search")).serving, ["eu-west"]);
  });

  test("refuses before the ownership is taken", async () => {
    put(KEYS.intent("rag-search"), intent({ movingBy: "plan-1", epoch: 1 }));
    await rejects(run("open-traffic"), "STEP_FAILED", /the ownership is not taken/);
  });

  test("changes intent and snapshot in one write, or neither", async () => {
    store.onCommit = () => {
      store.onCommit = undefined;
      put(KEYS.snapshot, { ...signed("{}"), number: 2 });
    };
    await rejects(run("open-traffic"), "STORE_CONFLICT", /snapshot/);
    assert.deepEqual(stored<Intent>(KEYS.intent("rag-search")).serving, ["eu-west"]);
  });
});

describe("confirm-acknowledged", () => {
  test("waits for a gateway that serves an older snapshot", async () => {
    acknowledged.set("eu-west", { reachable: true, number: 0, lastError: null });
    await rejects(
      run("confirm-acknowledged"),
      "STEP_FAILED",
      /eu-west's gateway serves snapshot 0/,
    );
  });

  test("waits for a gateway that does not answer, unless its region is known dead", async () => {
    acknowledged.set("eu-west", { reachable: false, reason: "connection refused" });
    await rejects(run("confirm-acknowledged"), "STEP_FAILED", /eu-west's gateway does not answer/);
    failed = ["eu-west"];
    const { text } = await run("confirm-acknowledged");
    assert.equal(text, "snapshot 1 is acknowledged by us-east; eu-west failed and answers nobody");
  });
});

describe("prove-traffic", () => {
  const wrong: readonly (readonly [string, Partial<CanaryAnswer>, RegExp])[] = [
    ["another region answers", { region: "eu-west" }, /answered by eu-west, not by us-east/],
    ["nobody says who answered", { region: null }, /answered by null/],
    [
      "another release answers",
      { releaseDigest: "sha256:old" },
      /release sha256:old, not sha256:1/,
    ],
    ["an older ownership answers", { epoch: 1 }, /under epoch 1/],
    ["no answer comes", { ok: false, detail: "503" }, /failed: 503/],
  ];
  for (const [what, answer, because] of wrong) {
    test(`is not proven when ${what}, through whichever entrance`, async () => {
      agents.canary = async (through) => canaryAnswer(through === "ap-south" ? answer : {});
      await rejects(run("prove-traffic"), "STEP_FAILED", because);
    });
  }

  test("an agent that is away elsewhere proves nothing against it; the new region's own must answer", async () => {
    const away = (region: string) => async (through: string) => {
      if (through !== region) return canaryAnswer();
      throw new TideoverError("no answer", { code: "PEER_UNAVAILABLE", retry: "later" });
    };
    agents.canary = away("ap-south");
    assert.match(
      (await run("prove-traffic")).text,
      /^a canary through us-east, eu-west was answered/,
    );
    agents.canary = away("us-east");
    await rejects(run("prove-traffic"), "STEP_FAILED", /us-east: no answer/);
  });
});

test("announce fills in who moved from where to where", async () => {
  const { text } = await run("announce");
  assert.equal(text, "told on status page: rag-search moved from eu-west to us-east.");
  assert.deepEqual(
    notify.notices.map(({ id, channel }) => [id, channel]),
    [["plan-1", "status page"]],
  );
});

async function run(kind: StepKind, change: { id?: string; regions?: string[] } = {}) {
  const ctx = contextOf(kind, change);
  const runner = STEPS[kind];
  if (!(await runner.check(ctx))) await runner.apply(ctx);
  return runner.prove(ctx);
}

function contextOf(kind: StepKind, change: { id?: string; regions?: string[] }): StepContext {
  const plan = switchoverPlan();
  const found = plan.steps.find((step) => step.kind === kind && step.id === (change.id ?? step.id));
  const workflow = spec.workflows["rag-search"];
  if (found === undefined || workflow === undefined) assert.fail(`no step ${kind}`);
  const leader = backend.get(KEYS.leader);
  const recorder = createRecorder({ store, clock });
  const publish = async (region: string): Promise<Acknowledgement> =>
    acknowledged.get(region) ?? { reachable: true, number: 1, lastError: null };
  return {
    plan,
    step: { ...found, ...change },
    workflow,
    deps: {
      id: "c1",
      spec,
      release: SIM_RELEASE,
      store,
      clock,
      probe: { exchange: async () => ({ answered: false, reason: "none", tookMs: 0 }) },
      traffic: { publish, acknowledged: publish },
      agents,
      notify,
      sign: signed,
      logger: { info: () => undefined, warn: () => undefined, error: () => undefined },
      newId: () => "plan-2",
    },
    engine: {
      publisher: { offer: () => undefined, remind: () => undefined },
      reports: () => new Map(),
      failed: () => failed,
      verdicts: () => [],
    },
    timeLeft: () => 1_000,
    elapsed: () => 0,
    write: (write) => {
      const fence = { key: KEYS.leader, revision: leader?.revision ?? 0 };
      return recorder.commit(fence, write);
    },
  };
}

function switchoverPlan(): Plan {
  const workflow = spec.workflows["rag-search"];
  if (workflow === undefined) assert.fail("no workflow");
  const decision: Decision = {
    kind: "switchover",
    workflow: "rag-search",
    domain: null,
    from: ["eu-west"],
    to: ["us-east"],
    because: "ada asked for it",
    refused: [],
  };
  return planFor({
    decision,
    intent: intent(),
    spec: workflow,
    detection: spec.detection,
    ownerships: [ownership()],
    release: SIM_RELEASE.digest,
    id: "plan-1",
    parent: null,
    now: 0,
  });
}

function intent(change: Partial<Intent> = {}): Intent {
  const [first] = initialIntents(spec, 0);
  if (first === undefined) assert.fail("no intent");
  return { ...first, ...change };
}

function ownership(change: Partial<Ownership> = {}): Ownership {
  return { index: "handbook", epoch: 1, region: "eu-west", frozen: false, ...change };
}

function canaryAnswer(change: Partial<CanaryAnswer> = {}): CanaryAnswer {
  return {
    ok: true,
    region: "us-east",
    releaseDigest: SIM_RELEASE.digest,
    epoch: 2,
    mode: "normal",
    detail: "200",
    ...change,
  };
}

function snapshotInput() {
  return { spec, releases: oneRelease(SIM_RELEASE), intents: [intent()], because: "first", now: 0 };
}

function signed(payload: string) {
  return { payload, keyId: "k", signature: "s" };
}

function put(key: string, value: unknown): void {
  backend.commit({ compare: [], operations: [{ put: key, value }] });
}

function stored<T>(key: string): T {
  return backend.get(key)?.value as T;
}

async function rejects(work: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof TideoverError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}
