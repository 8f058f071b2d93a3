import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import {
  type AgentWorld,
  createAgentWorld,
  DOCUMENTS,
  GOLDEN,
  INDEX,
  until,
  WORKFLOW,
} from "../../test/support/agent-world.ts";
import type { GoldenSet } from "../model/golden.ts";
import { KEYS } from "../model/keys.ts";
import type { GoldenScore, OutcomeWindow } from "../model/outcomes.ts";
import { type RegionReport, regionReportSchema } from "../model/signal.ts";
import { AGENT_PATHS } from "../wire/headers.ts";
import { trialQuestions } from "./trial-questions.ts";

let world: AgentWorld;
beforeEach(async () => {
  world = await createAgentWorld();
});
afterEach(() => world.close());

const ONE = "sha256:release-one";
const TWO = "sha256:release-two";
const [QUESTION] = GOLDEN.questions;

function serves(release: string, more: object = {}): void {
  const { says } = world.eu.gateway;
  world.eu.gateway.says = { ...says, release, status: { release, ...more } };
}

async function report(): Promise<RegionReport | null> {
  const entry = await world.eu.store.get(KEYS.report("agent:eu-west"));
  return regionReportSchema.safeParse(entry?.value).data ?? null;
}

async function scores(): Promise<GoldenScore[]> {
  return (await report())?.golden?.find(({ workflow }) => workflow === WORKFLOW)?.scores ?? [];
}

test("each release that the gateway gets is asked the golden questions, and the report tells", async () => {
  serves(ONE);
  await world.eu.start();
  await world.eu.ask("POST", AGENT_PATHS.changes(INDEX), DOCUMENTS);
  const right = (release: string) => async () =>
    (await scores()).some((score) => score.release === release && score.right.length === 1);
  await until("the first release to be right", right(ONE));
  serves(TWO);
  await until("the second release to be right", right(TWO));
  assert.deepEqual(
    (await scores()).map(({ release, right: ids }) => [release, ids]),
    [
      [ONE, [QUESTION?.id]],
      [TWO, [QUESTION?.id]],
    ],
  );
});

test("nobody is asked while the index waits for its first documents", async () => {
  serves(ONE);
  await world.eu.start();
  await until("a report", async () => (await report())?.gateway?.release === ONE);
  assert.deepEqual(await scores(), []);
});

test("what the gateway counted for each release is in the report", async () => {
  const window: OutcomeWindow = {
    ...{ workflow: WORKFLOW, region: "eu-west", release: ONE, fromMsAgo: 9, toMsAgo: 1 },
    ...{ requests: 3, errors: 1, refusals: 0, latency: { "35": 2 }, length: {}, cost: {} },
    recent: { requests: 3, errors: 1, latency: { "35": 2 } },
  };
  serves(ONE, { outcomes: [window] });
  await world.eu.start();
  await until("a report of it", async () => (await report())?.gateway?.outcomes?.length === 1);
  assert.deepEqual((await report())?.gateway?.outcomes, [window]);
});

test("a window of a shape that is not known here costs nothing but itself", async () => {
  serves(ONE, { outcomes: [{ what: "is this?" }] });
  await world.eu.start();
  await until("a report", async () => (await report())?.gateway?.release === ONE);
  assert.equal((await report())?.gateway?.outcomes, undefined);
});

test("of a large set forty questions stand for all, always the same, spread over the whole", () => {
  const set: GoldenSet = {
    questions: Array.from({ length: 400 }, (_, at) => ({
      ...{ id: `q${at}`, question: "?", documents: ["d"], answer: "a" },
      tenant: at % 2 === 0 ? "acme" : "stranger",
    })),
    canaries: [],
  };
  const canaryKeys = new Map([["acme", "key"]]);
  const about = { options: { canaryKeys }, release: null } as unknown as Parameters<
    typeof trialQuestions
  >[0];
  const chosen = trialQuestions(about, set).map(({ id }) => id);
  assert.equal(new Set(chosen).size, 40);
  assert.deepEqual(chosen.slice(0, 3), ["q0", "q10", "q20"]);
  assert.deepEqual(trialQuestions(about, set), trialQuestions(about, set));
});
