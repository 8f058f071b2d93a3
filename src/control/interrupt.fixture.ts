import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { verifyChain } from "../core/evidence/chain.ts";
import { TideoverError } from "../lib/errors.ts";
import type { Spec } from "../model/spec.ts";
import { seededRandom } from "../sim/random.ts";
import { type SimController, World } from "../sim/world.ts";

/**
 * Interrupt every plan: kill the controller before and after each write and each call that it makes
 * while a plan is decided and run, start another, and expect the same end, each effect once.
 */

export interface Scenario {
  readonly name: string;
  /** The estate that it plays in; absent: the simulated one as it is. */
  readonly spec?: Spec;
  /** Done to each controller that is started. */
  readonly arm?: (controller: SimController) => void;
  readonly begin: (world: World) => void;
  readonly isOver: (world: World) => boolean;
  /** What must be so at the end, however often it was interrupted. */
  readonly expectEnd: (world: World) => void;
}

interface MoveScenario extends Scenario, MoveEnd {}

interface MoveEnd {
  readonly to: string;
  /** Of intent, ownership and snapshot when all is done. */
  readonly epochs: readonly [intent: number, ownership: number, snapshot: number];
  readonly announcements: number;
  readonly status: "completed" | "failed";
}

export const failover = move({
  name: "failover",
  begin: (world) => world.kill("eu-west"),
  to: "us-east",
  epochs: [2, 2, 2],
  announcements: 1,
  status: "completed",
});

/** The region lives: its index is drained, as when a person moves it. */
export const capacityLoss = move({
  name: "failover out of a region that lost its models",
  begin: (world) => world.loseModels("eu-west"),
  to: "us-east",
  epochs: [2, 3, 2],
  announcements: 1,
  status: "completed",
});

export const switchover = move({
  name: "switchover",
  begin: (world) => world.request({ kind: "switchover", workflow: "rag-search", to: "us-east" }),
  to: "us-east",
  epochs: [2, 3, 2],
  announcements: 1,
  status: "completed",
});

/** Breaks in the middle, with an index frozen, and is put back: thawed, under one more epoch. */
export const undone = move({
  ...switchover,
  name: "switchover that is put back",
  arm: ({ agents }) => {
    agents.catchUp = async () => {
      throw new TideoverError("us-east's copy has diverged", { code: "INDEX_DIVERGED" });
    };
  },
  to: "eu-west",
  announcements: 0,
  status: "failed",
});

function move(given: Omit<MoveScenario, "isOver" | "expectEnd">): MoveScenario {
  return { ...given, isOver: isMoveOver, expectEnd: (world) => expectMoved(world, given) };
}

/** A point in a run: the n-th watched call, before it left or after its answer came. */
interface Point {
  readonly at: number;
  readonly label: string;
}

function start(world: World, { arm }: Scenario, id: string): SimController {
  const controller = world.start(id);
  arm?.(controller);
  return controller;
}

function worldOf({ spec }: Scenario): World {
  return new World(spec === undefined ? {} : { spec });
}

const SETTLED_MS = 1_500;

/** One run of a scenario, and where it is interrupted. */
type Round =
  | { readonly kind: "killed"; readonly at: number }
  | { readonly kind: "killed twice"; readonly first: number; readonly second: number }
  | { readonly kind: "lost"; readonly at: number; readonly when: "before" | "after" };

/**
 * The suite of one scenario. A file each, so that they run side by side: they are the longest. Such
 * a file is loaded once more, in a thread that plays the rounds: the test runner follows every
 * promise of the thread that it runs in, which takes nearly half of the time there.
 */
export function interruptSuite(file: string, scenario: Scenario): void {
  if (!isMainThread) {
    playWhenAsked(scenario);
    return;
  }
  describe(`interrupted: ${scenario.name}`, async () => {
    const points = await pointsOf(scenario);
    const played = player(file);

    test("there are points to interrupt it at", () => {
      const labels = points.map(({ label }) => label);
      for (const port of ["store.commit", "agents."]) {
        for (const when of ["before", "after"]) {
          assert.ok(
            labels.some((label) => label.startsWith(`${when} ${port}`)),
            `${when} ${port}`,
          );
        }
      }
    });

    for (const { at, label } of points) {
      test(`${label} (call ${at})`, () => played({ kind: "killed", at }));
    }

    const commits = points.filter(({ label }) => label === "before store.commit").length;
    for (const when of ["before", "after"] as const) {
      test(`every answer of the store is lost once, ${when} the write`, async () => {
        for (let at = 0; at < commits; at += 1) await played({ kind: "lost", at, when });
      });
    }

    test("twice, at points drawn by chance", async () => {
      const random = seededRandom(20_26);
      for (let round = 0; round < 12; round += 1) {
        const [first, second] = [random.pick(points).at, random.pick(points).at];
        await played({ kind: "killed twice", first, second });
      }
    });
  });
}

/** Plays rounds, one after another. Throws what a round threw, or what has ended the thread. */
function player(file: string): (round: Round) => Promise<void> {
  const thread = new Worker(new URL(file));
  const ended = new Promise<never>((_, reject) => {
    // A rejection that nobody handled, say. No later round can be played either.
    thread.once("error", reject);
    thread.once("exit", () => reject(new Error("the thread that plays the rounds has ended")));
  });
  ended.catch(() => undefined);
  thread.unref();
  return async (round) => {
    thread.ref();
    try {
      thread.postMessage(round);
      const [wrong] = await Promise.race([once(thread, "message"), ended]);
      if (wrong !== null) throw wrong;
    } finally {
      thread.unref();
    }
  };
}

function playWhenAsked(scenario: Scenario): void {
  parentPort?.on("message", (round: Round) => {
    play(scenario, round).then(
      () => parentPort?.postMessage(null),
      (wrong: unknown) => parentPort?.postMessage(wrong),
    );
  });
}

async function play(scenario: Scenario, round: Round): Promise<void> {
  const world = worldOf(scenario);
  const c1 = start(world, scenario, "c1");
  if (round.kind === "lost") {
    await settle(world, scenario);
    loseAnswer(c1, round.at, round.when);
  } else {
    killAt(c1, round.kind === "killed" ? round.at : round.first);
    await settle(world, scenario);
    await world.until("c1 is dead", () => isDead(world, "c1"));
    const c2 = start(world, scenario, "c2");
    if (round.kind === "killed twice") {
      killAt(c2, round.second);
      // c2 may have fewer calls to make than `second`, and then lives.
      await world.run(15_000);
      start(world, scenario, "c3");
    }
  }
  await expectTheSameEnd(world, scenario);
}

async function settle(world: World, scenario: Scenario): Promise<void> {
  await world.run(SETTLED_MS);
  assert.ok(world.write("handbook", "a") && world.write("handbook", "b"));
  await world.run(500);
  scenario.begin(world);
}

/** All watched calls of an undisturbed run, from the fault to the end of the plan. */
async function pointsOf(scenario: Scenario): Promise<Point[]> {
  const world = worldOf(scenario);
  const points: Point[] = [];
  watch(start(world, scenario, "c1"), (label, at) => points.push({ at, label }));
  await settle(world, scenario);
  const from = points.length;
  await world.until("the plan is over", () => scenario.isOver(world));
  await world.run(100);
  return points.slice(from);
}

function killAt(controller: SimController, at: number): void {
  watch(controller, (_, seen) => {
    if (seen === at) controller.process.kill();
  });
}

/** The controller lives, and does not know whether its write happened. */
function loseAnswer({ store }: SimController, at: number, lost: "before" | "after"): void {
  let seen = 0;
  store.onCommit = (_, when) => {
    if (when !== lost) return;
    seen += 1;
    if (seen - 1 !== at) return;
    throw new TideoverError("the answer was lost", { code: "STORE_UNAVAILABLE", retry: "later" });
  };
}

/** Writes, and every call that can change something outside. Mere looking changes nothing. */
function watch({ process }: SimController, told: (label: string, at: number) => void): void {
  let seen = 0;
  process.onCall = (port, method, when) => {
    if (port === "probe" || (port === "store" && method !== "commit")) return;
    told(`${when} ${port}.${method}`, seen);
    seen += 1;
  };
}

async function expectTheSameEnd(world: World, scenario: Scenario): Promise<void> {
  await world.until("the plan is over", () => scenario.isOver(world));
  // Whatever would still be done twice gets its chance: a successor's lease and its first turns.
  await world.run(4_500);
  scenario.expectEnd(world);
  assert.deepEqual(verifyChain(world.evidence()), { ok: true });
}

function expectMoved(world: World, { to, epochs, announcements, status }: MoveEnd): void {
  const { movingBy, serving, epoch } = world.intent();
  const ownership = world.ownership();
  const { snapshot } = world.region(to);
  assert.deepEqual({ movingBy, serving }, { movingBy: null, serving: [to] });
  assert.deepEqual(
    { region: ownership.region, frozen: ownership.frozen },
    { region: to, frozen: false },
  );
  assert.deepEqual([epoch, ownership.epoch, snapshot?.number], epochs);
  assert.deepEqual(snapshot?.workflows["rag-search"]?.serving, [to]);
  assert.deepEqual(world.region(to).index("handbook").changes, ["a", "b"]);
  assert.equal(world.notify.notices.length, announcements);
  assert.deepEqual(
    world.plans().map(({ state }) => state.status),
    [status],
  );
}

function isMoveOver(world: World): boolean {
  const states = world.plans().map(({ state }) => state.status);
  return world.intent().movingBy === null && states.length > 0 && !states.includes("running");
}

function isDead(world: World, id: string): boolean {
  return world.controllers.get(id)?.process.dead === true;
}
