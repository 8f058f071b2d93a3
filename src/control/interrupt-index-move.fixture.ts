import assert from "node:assert/strict";
import { TideoverError } from "../lib/errors.ts";
import { simSpec } from "../sim/estate.ts";
import type { World } from "../sim/world.ts";
import type { Scenario } from "./interrupt.fixture.ts";

/** The plans that move an index alone, for the interrupting suite. */

const [EU, US] = ["eu-west", "us-east"] as const;
const OPTIONAL = {
  retrieval: { index: "handbook", required: false },
  degradedModes: ["no-retrieval" as const],
};

interface End {
  readonly owner: string;
  readonly epoch: number;
  readonly statuses: readonly string[];
}

/** A damaged owner that its only workflow can do without. */
export const indexMove: Scenario = {
  name: "move of an index alone",
  spec: simSpec({ workflows: { "rag-search": OPTIONAL } }),
  begin: damage,
  isOver: isIndexMoveOver,
  expectEnd(world) {
    expectIndex(world, { owner: US, epoch: 3, statuses: ["completed"] });
    assert.equal(world.region(EU).index("handbook").ownership?.region, US, "it is a replica now");
  },
};

/** Breaks while the owner is frozen, and is put back: thawed, under one more epoch. */
export const indexMovePutBack: Scenario = {
  ...indexMove,
  name: "move of an index alone that is put back",
  arm({ agents }) {
    agents.catchUp = async () => {
      throw new TideoverError("us-east's copy has diverged", { code: "INDEX_DIVERGED" });
    };
  },
  begin(world) {
    world.requestIndex({ to: US });
  },
  expectEnd(world) {
    expectIndex(world, { owner: EU, epoch: 3, statuses: ["failed"] });
  },
};

/** It stays: in this world nobody repairs a copy. */
function damage(world: World): void {
  world.region(EU).index("handbook").quarantined = "3 records differ";
}

function isIndexMoveOver(world: World): boolean {
  const states = world.plans().map(({ state }) => state.status);
  const over = states.every((status) => status === "completed" || status === "failed");
  return states.length > 0 && over && world.indexHold() === null;
}

function expectIndex(world: World, { owner, epoch, statuses }: End): void {
  const { region, frozen, epoch: found } = world.ownership();
  assert.deepEqual([region, frozen, found], [owner, false, epoch]);
  assert.deepEqual(
    world.plans().map(({ state }) => state.status),
    statuses,
  );
  assert.deepEqual(world.region(owner).index("handbook").changes, ["a", "b"]);
  const { serving, epoch: workflowEpoch, movingBy } = world.intent();
  assert.deepEqual([serving, workflowEpoch, movingBy], [[EU], 1, null], "no traffic moved");
  assert.equal(world.notify.notices.length, 0);
  assert.ok(world.write("handbook", "c"), "the pipeline goes on");
}
