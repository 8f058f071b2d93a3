import assert from "node:assert/strict";
import { afterEach, beforeEach, it } from "node:test";
import { z } from "zod";
import {
  type AgentWorld,
  createAgentWorld,
  EMBEDDING,
  embedded,
  INDEX,
  until,
} from "../../test/support/agent-world.ts";
import { AGENT_PATHS } from "../wire/headers.ts";

let world: AgentWorld;
beforeEach(async () => {
  world = await createAgentWorld();
});
afterEach(() => world.close());

const wordSchema = z.object({
  reindex: z.object({ running: z.boolean(), error: z.string().nullable(), done: z.int() }),
});

const old = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ ...embedded(`d${at}`), embedding: "former-1" }));

async function reindexed(region: "eu" | "us") {
  const begun = await world[region].ask("POST", AGENT_PATHS.reindex(INDEX));
  assert.equal(begun.status, 200, JSON.stringify(begun.body));
  let word = wordSchema.parse(begun.body).reindex;
  await until("it to end", async () => {
    const { body } = await world[region].ask("GET", AGENT_PATHS.reindex(INDEX));
    word = wordSchema.parse(body).reindex;
    return !word.running;
  });
  return word;
}

it("embeds every record with the release's model, in every region, and only what needs it", async () => {
  await world.eu.index.append(1, [...old(230), embedded("newer")]);
  await world.eu.start();
  await world.us.start();
  const before = await world.eu.index.recordsOf(["newer"]);
  assert.equal((await reindexed("eu")).error, null);
  const records = await world.eu.index.recordsIn({ prefix: 0, bits: 0 });
  assert.equal(records.length, 231);
  assert.deepEqual([...new Set(records.map(({ embedding }) => embedding))], [EMBEDDING]);
  assert.deepEqual(await world.eu.index.recordsOf(["newer"]), before);
  const { seq } = await world.eu.index.position();
  assert.equal(seq, 231 + 230);
  await until("the replica to have them", async () => {
    const [eu, us] = [await world.eu.index.position(), await world.us.index.position()];
    return eu.digest === us.digest;
  });
  // Called again, it finds nothing to do.
  assert.equal((await reindexed("eu")).error, null);
  assert.equal((await world.eu.index.position()).seq, seq);
});

it("is refused where the index is not owned", async () => {
  await world.eu.start();
  await world.us.start();
  const { status } = await world.us.ask("POST", AGENT_PATHS.reindex(INDEX));
  assert.equal(status, 409);
});
