import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { QUESTION, ROUTE, realClock, snapshotOf } from "../../../test/support/gateway-world.ts";
import { Stop } from "../../lib/stop.ts";
import { createMetrics } from "../metrics.ts";
import { DEFAULT_TIMEOUTS } from "../options.ts";
import { SnapshotHolder } from "../snapshots.ts";
import { RetryBudget } from "../targets/budget.ts";
import { hedged } from "../targets/hedge.ts";
import { Memory } from "../targets/memory.ts";
import type { Answer, Call, Facts } from "./call.ts";
import { hold } from "./hold.ts";
import { allFacts, apart, nothingKnown } from "./known.ts";

const OLD = snapshotOf();
const NEW = snapshotOf({ number: 2 });
/** The exchanges' end: without it, their deadlines would hold the process. */
const over = new Stop();

describe("what is known of a request", () => {
  after(() => over.abort("over"));

  it("counts less than what an answer says of itself, also where that is nothing", () => {
    const known = { ...nothingKnown(OLD), tenant: "acme", mode: "normal", watermark: "1@x" };
    const facts = allFacts(known, { mode: "no-retrieval", watermark: null, target: "t" });
    assert.deepEqual(
      [facts.tenant, facts.mode, facts.watermark, facts.target, facts.attempts],
      ["acme", "no-retrieval", null, "t", []],
    );
  });

  it("is told with the answer of what runs apart, and with no other but the snapshot", async () => {
    const call = callOf();
    const answer = await apart(call, (run) => {
      Object.assign(run.known, { workflow: "w", sources: ["a"], limits: { "x-limit": "1" } });
      run.known.snapshot = NEW;
      return answered({ mode: "own" });
    });
    assert.ok(answer.kind === "whole");
    const { workflow, sources, mode, tenant } = answer.facts;
    assert.deepEqual([workflow, sources, mode, tenant], ["w", ["a"], "own", "acme"]);
    assert.equal(answer.headers["x-limit"], "1");
    assert.deepEqual(call.known, { ...nothingKnown(NEW), tenant: "acme" });
  });

  it("begins anew with each round of a hold, under that round's snapshot", async () => {
    const call = callOf();
    let rounds = 0;
    const answer = await holding(10_000)((run: Call) => {
      rounds += 1;
      if (rounds === 1) {
        Object.assign(run.known, { mode: "normal", sources: ["a"], limits: {}, workflow: "w" });
        return { kind: "unanswered", facts: {} };
      }
      assert.deepEqual(run.known, { ...nothingKnown(OLD), tenant: "acme", workflow: "w" });
      return answered({});
    })(call);
    assert.equal(answer.kind, "whole");
    assert.equal(call.known.snapshot.number, OLD.number);
  });

  it("is no more than what was asked for when nobody answers", async () => {
    for (const forwardedBy of [null, "eu-north"]) {
      const call = { ...callOf(), forwardedBy };
      const answer = await holding(0)((run: Call) => {
        Object.assign(run.known, { mode: "normal", sources: ["a"], workflow: "w" });
        return { kind: "unanswered", facts: {} };
      })(call);
      assert.equal(answer.kind === "whole" && answer.status, 503);
      assert.deepEqual([call.known.mode, call.known.sources], [null, []]);
      assert.equal(call.known.workflow, "w");
    }
  });

  it("is the winner's alone where two are asked at once", async () => {
    const call = callOf();
    const slow = Promise.withResolvers<void>();
    const answer = await hedged({ clock: realClock, retries: new RetryBudget(realClock) }, call, {
      afterMs: 1,
      first: async (run) => {
        run.known.promptVersion = "the loser's";
        run.signal.addEventListener("abort", () => slow.resolve());
        await slow.promise;
        run.known.sources = ["the loser's"];
        return { kind: "unanswered", facts: {} };
      },
      second: (run) => {
        run.known.sources = ["the winner's"];
        return answered({});
      },
    });
    assert.deepEqual(answer.facts.sources, ["the winner's"]);
    assert.equal(answer.facts.promptVersion, null);
    assert.deepEqual(call.known, { ...nothingKnown(OLD), tenant: "acme" });
  });
});

function holding(holdMs: number) {
  const targets = new Memory(realClock, { failures: 3, firstMs: 1, longestMs: 1 });
  return hold({
    clock: realClock,
    snapshots: SnapshotHolder.standalone(OLD, "eu-west", realClock),
    metrics: createMetrics({ snapshotNumber: () => 1, targets }),
    timeouts: { ...DEFAULT_TIMEOUTS, holdMs },
    random: () => 0,
  });
}

function answered(facts: Partial<Facts>): Answer {
  return { kind: "whole", status: 200, headers: {}, body: "{}", facts };
}

function callOf(): Call {
  return {
    id: "r",
    api: "chat",
    toChat: null,
    headers: {},
    readBody: async () => ({ kind: "gone" }),
    arrivedAt: realClock.monotonic(),
    signal: over,
    snapshot: OLD,
    forwardedBy: null,
    readiness: false,
    ticket: { admitted: false },
    known: { ...nothingKnown(OLD), tenant: "acme" },
    tenant: "acme",
    body: Buffer.alloc(0),
    workflow: QUESTION.model,
    request: QUESTION,
    embeddings: null,
    route: ROUTE,
    mode: null,
    documents: [],
  };
}
