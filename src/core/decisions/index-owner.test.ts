import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { INTENT, OWNERSHIP, verdict, workflowWith } from "../../../test/support/core-values.ts";
import { EMPTY_POSITION } from "../../model/position.ts";
import type { IndexState } from "../../model/signal.ts";
import type { Health, Verdict } from "../../model/verdict.ts";
import type { IndexDecisionInput } from "./index-input.ts";
import { decideIndex, indexRequestWaits } from "./index-owner.ts";

const [EU, US, AP] = ["eu-west", "us-east", "ap-south"] as const;
const HEALTHS: readonly Health[] = ["healthy", "degraded", "failed", "unknown"];

function copy(region: string, over: Partial<IndexState> = {}) {
  const position = { ...EMPTY_POSITION, seq: 9, count: 9 };
  const state: IndexState = {
    index: "handbook",
    position,
    ownerPosition: region === EU ? null : position,
    lagMs: 0,
    ownerSeenAgoMs: 0,
    orphans: 0,
    error: null,
    readable: true,
    standing: { kind: "whole" },
    ...over,
  };
  return { region, state };
}

function corruption(region: string, health: Health): Verdict {
  const because = `${region}'s copy of handbook is ${health} in this test`;
  const about = { domain: "index-corruption", region, index: "handbook", health } as const;
  return { ...about, because, witnesses: [], failingForMs: 0 };
}

type Told = Readonly<Record<string, readonly [outage: Health, corruption: Health]>>;
const DAMAGED: Told = { [EU]: ["healthy", "failed"], [US]: ["healthy", "healthy"] };
const OUT: Told = { [EU]: ["failed", "unknown"], [US]: ["healthy", "healthy"] };

function verdicts(told: Told): Verdict[] {
  return Object.entries(told).flatMap(([region, [outage, copyHealth]]) => [
    verdict(region, outage),
    corruption(region, copyHealth),
  ]);
}

function user(over: object = {}, intent: object = {}) {
  const spec = workflowWith({ retrieval: { index: "handbook", required: false }, ...over });
  return { name: "assistant", spec, intent: { ...INTENT, workflow: "assistant", ...intent } };
}

function input(over: Partial<IndexDecisionInput> = {}): IndexDecisionInput {
  return {
    ownership: OWNERSHIP,
    heldBy: null,
    workflows: [user()],
    verdicts: verdicts(DAMAGED),
    copies: [copy(EU), copy(US)],
    maxLagMs: 5_000,
    request: null,
    drainFailed: false,
    sinceLastMoveMs: null,
    cooldownMs: 30_000,
    ...over,
  };
}

const asked = { id: "r", index: "handbook", to: null, acceptLoss: false, by: "ada", at: 0 };
const NEEDING = user({ retrieval: { index: "handbook", required: true } });

describe("who shall own an index", () => {
  const table: [
    what: string,
    over: Partial<IndexDecisionInput>,
    to: string | null,
    because: RegExp,
  ][] = [
    [
      "a damaged owner that no workflow needs loses it, and nothing else moves",
      {},
      US,
      /us-east takes handbook over from eu-west, nothing is lost, and no traffic moves$/,
    ],
    [
      "a sound owner keeps it",
      { verdicts: verdicts({ [EU]: ["healthy", "healthy"], [US]: ["healthy", "healthy"] }) },
      null,
      /^eu-west owns handbook, and nothing speaks against its copy$/,
    ],
    [
      "a doubt about the owner's copy moves nothing",
      { verdicts: verdicts({ [EU]: ["healthy", "degraded"], [US]: ["healthy", "healthy"] }) },
      null,
      /is degraded in this test$/,
    ],
    [
      "a silent owner moves nothing",
      { verdicts: verdicts({ [EU]: ["unknown", "unknown"], [US]: ["healthy", "healthy"] }) },
      null,
      /is unknown in this test$/,
    ],
    [
      "whoever needs it takes it along by its own failover",
      { workflows: [user(), { ...NEEDING, name: "search" }] },
      null,
      /: search takes handbook along/,
    ],
    [
      "who needs it and is served elsewhere does not hinder its move",
      {
        workflows: [user(), { ...NEEDING, intent: { ...NEEDING.intent, serving: [US] } }],
      },
      US,
      /no traffic moves/,
    ],
    [
      "while a workflow that searches it moves, it waits",
      { workflows: [user({}, { movingBy: "p7" })] },
      null,
      /is being moved by plan p7/,
    ],
    ["while it is moved already, it waits", { heldBy: "p8" }, null, /^plan p8 is under way$/],
    [
      "an owner that is being restored is waited for",
      { copies: [copy(EU, { standing: { kind: "restoring", loaded: 1, total: 9 } }), copy(US)] },
      null,
      /: it is being restored$/,
    ],
    [
      "nobody takes it over with a copy that is bad as well",
      { verdicts: verdicts({ [EU]: ["healthy", "failed"], [US]: ["healthy", "failed"] }) },
      null,
      /nobody can take it over: us-east's copy of handbook is failed/,
    ],
    [
      "nobody takes it over with half a copy",
      { copies: [copy(EU), copy(US, { standing: { kind: "partial", loaded: 1, total: 9 } })] },
      null,
      /us-east's copy is not known to be whole \(partial\)/,
    ],
    [
      "no region takes it that none of its workflows may be served from",
      {
        verdicts: verdicts({ [EU]: ["healthy", "failed"], [AP]: ["healthy", "healthy"] }),
        copies: [copy(EU), copy(AP)],
      },
      null,
      /no other region that may serve from it has a copy of handbook/,
    ],
    [
      "where every workflow is declared by a person, so is this",
      { workflows: [user({ declare: { by: "person", who: "ops", signals: ["region-outage"] } })] },
      null,
      /: wait for ops: run `tideover index move --index handbook`$/,
    ],
    [
      "it rests after the last unplanned move",
      { sinceLastMoveMs: 10_000 },
      null,
      /its last unplanned move ended 10.0 s ago, and the next may start in 20.0 s/,
    ],
    [
      "an owner that cannot be read is not drained: the copy has all that it was known to have",
      { copies: [copy(EU, { readable: false, position: EMPTY_POSITION }), copy(US)] },
      US,
      /nothing is lost/,
    ],
    [
      "an owner that cannot be read, and whose copy lags within the objective, loses what is said",
      {
        copies: [
          copy(EU, { readable: false }),
          copy(US, { ownerPosition: { ...EMPTY_POSITION, seq: 12 }, lagMs: 4_000 }),
        ],
      },
      US,
      /at least 3 changes .* are lost, of 4.0 s \(5.0 s may be\)/,
    ],
    [
      "one whose copy lags beyond the objective keeps it until a person accepts the loss",
      {
        copies: [
          copy(EU, { readable: false }),
          copy(US, { ownerPosition: { ...EMPTY_POSITION, seq: 12 }, lagMs: 6_000 }),
        ],
      },
      null,
      /a person may accept that \(`tideover index move --accept-loss`\)/,
    ],
    [
      "a dead owner that no workflow is served from loses it",
      { verdicts: verdicts(OUT), workflows: [user({}, { serving: [US] })] },
      US,
      /^region outage of eu-west, which owns handbook/,
    ],
    [
      "a dead owner that serves loses it by the failover",
      { verdicts: verdicts(OUT) },
      null,
      /assistant takes handbook along/,
    ],
    [
      "a person moves a sound one",
      {
        verdicts: verdicts({ [EU]: ["healthy", "healthy"], [US]: ["healthy", "healthy"] }),
        request: asked,
      },
      US,
      /^move of handbook asked by ada; us-east takes/,
    ],
    [
      "a person need not wait for a cool-down, nor for a workflow that needs it",
      { request: asked, sinceLastMoveMs: 1, workflows: [NEEDING] },
      US,
      /asked by ada/,
    ],
    [
      "not even a person gives it to who has it",
      { request: { ...asked, to: EU } },
      null,
      /is refused: eu-west owns handbook already/,
    ],
    [
      "not even a person gives it to a bad copy",
      {
        request: { ...asked, to: US },
        verdicts: verdicts({ [EU]: ["healthy", "failed"], [US]: ["healthy", "failed"] }),
      },
      null,
      /is refused: us-east's copy of handbook is failed/,
    ],
    [
      "a person may accept a loss",
      {
        request: { ...asked, acceptLoss: true },
        copies: [
          copy(EU, { readable: false }),
          copy(US, { ownerPosition: { ...EMPTY_POSITION, seq: 12 }, lagMs: 60_000 }),
        ],
      },
      US,
      /at least 3 changes/,
    ],
  ];
  for (const [what, over, to, because] of table) {
    test(what, () => {
      const decision = decideIndex(input(over));
      assert.match(decision.because, because);
      assert.deepEqual(
        [decision.kind, decision.to, decision.workflow],
        [to === null ? "hold" : "move-index", to === null ? [] : [to], "index:handbook"],
      );
    });
  }

  test("the owner is drained, unless it cannot be asked or a plan has failed at it", () => {
    const drained = (over: Partial<IndexDecisionInput>) => decideIndex(input(over)).index?.drained;
    assert.equal(drained({}), true);
    assert.equal(drained({ drainFailed: true }), false);
    assert.equal(drained({ copies: [copy(EU, { readable: false }), copy(US)] }), false);
  });

  test("a request waits only for what ends by itself", () => {
    assert.equal(indexRequestWaits(input({ request: asked, heldBy: "p1" })), true);
    assert.equal(indexRequestWaits(input({ request: asked })), false);
  });

  test("whatever is seen: never to a bad copy or a dead region, never without cause or in silence", () => {
    const health = fc.constantFrom(...HEALTHS);
    const told = fc.record({
      [EU]: fc.tuple(health, health),
      [US]: fc.tuple(health, health),
      [AP]: fc.tuple(health, health),
    });
    const standing = fc.constantFrom<IndexState["standing"]>(
      { kind: "whole" },
      { kind: "partial", loaded: 1, total: 2 },
      { kind: "quarantined", because: "" },
      undefined,
    );
    const seen = fc.record({
      told,
      standings: fc.tuple(standing, standing, standing),
      seqs: fc.tuple(fc.nat(9), fc.nat(9), fc.nat(9)),
      serving: fc.subarray([EU, US, AP], { minLength: 1 }),
      required: fc.boolean(),
      lagMs: fc.nat(9_000),
      drainFailed: fc.boolean(),
      request: fc.constantFrom(null, asked, { ...asked, to: AP }, { ...asked, acceptLoss: true }),
    });
    fc.assert(
      fc.property(seen, ({ told, standings, seqs, serving, required, lagMs, ...rest }) => {
        const retrieval = { index: "handbook", required };
        const about = input({
          ...rest,
          verdicts: verdicts(told),
          workflows: [user({ retrieval, standbys: [US, AP] }, { serving })],
          copies: [EU, US, AP].map((region, at) => {
            const position = { ...EMPTY_POSITION, seq: seqs[at] ?? 0 };
            const made = copy(region, { position, lagMs });
            return standings[at] === undefined
              ? { region, state: { ...made.state, standing: { kind: "whole" } } }
              : { region, state: { ...made.state, standing: standings[at] } };
          }),
        });
        const { kind, to, index, from } = decideIndex(about);
        if (kind !== "move-index") return assert.equal(kind, "hold");
        const [taker = ""] = to;
        assert.deepEqual([to.length, from], [1, [EU]]);
        assert.notEqual(taker, EU);
        const health: Told = told;
        const [outage, copyHealth] = health[taker] ?? assert.fail();
        assert.ok(outage === "healthy" || outage === "degraded");
        assert.equal(copyHealth, "healthy");
        if (rest.request === null) {
          const [ownerOutage, ownerCopy] = health[EU] ?? assert.fail();
          assert.ok(ownerOutage === "failed" || ownerCopy === "failed");
          assert.ok(!(serving.includes(EU) && (required || ownerOutage === "failed")));
          if (index?.loss != null) assert.ok(lagMs <= 5_000);
        }
        const behind = (seqs[0] ?? 0) - (seqs[[EU, US, AP].indexOf(taker as typeof EU)] ?? 0);
        if (index?.drained === false && behind > 0) assert.match(index.loss ?? "", /are lost/);
      }),
    );
  });
});
