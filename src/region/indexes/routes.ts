import { z } from "zod";
import { floatsOf } from "../../core/reconcile/entry.ts";
import { TideoverError } from "../../lib/errors.ts";
import { AGENT_PATHS } from "../../wire/headers.ts";
import { type Asked, body, ofIndex, type Route } from "../route.ts";
import type { World } from "../world.ts";
import { answerComparison, answerRecords } from "./answer.ts";
import { MOST_IDS } from "./ask.ts";
import { proveNow, repairNow, verify } from "./orders.ts";

/** A question of a comparison names 65,536 ranges at most, or 1,000 records. */
const QUESTION_BYTES = 1_048_576;
/** 500 ids of 256 characters, each of which may take three bytes. */
const IDS_BYTES = 524_288;

export const INDEX_ROUTES: readonly Route[] = [
  { method: "POST", path: ofIndex(AGENT_PATHS.compare), answer: compare },
  { method: "POST", path: ofIndex(AGENT_PATHS.records), answer: records },
  { method: "POST", path: ofIndex(AGENT_PATHS.results), answer: results },
  { method: "GET", path: ofIndex(AGENT_PATHS.facts), answer: facts },
  { method: "POST", path: ofIndex(AGENT_PATHS.verify), answer: verifyNow },
  { method: "POST", path: ofIndex(AGENT_PATHS.prove), answer: prove },
  { method: "POST", path: ofIndex(AGENT_PATHS.repair), answer: repair },
];

const compareBody = z.object({ question: z.base64() });
const recordsBody = z.object({ ids: z.array(z.string()).max(MOST_IDS) });
const resultsBody = z.object({
  vector: z.base64(),
  embedding: z.string(),
  audiences: z.array(z.string()),
  labels: z.array(z.string()).default([]),
  k: z.int().min(1).max(100),
});

async function compare(world: World, { request, index }: Asked) {
  const local = world.index(index);
  const { question } = await body(request, compareBody, QUESTION_BYTES);
  return answerComparison(local, Buffer.from(question, "base64"));
}

async function records(world: World, { request, index }: Asked) {
  const local = world.index(index);
  const { ids } = await body(request, recordsBody, IDS_BYTES);
  return answerRecords(local, ids);
}

/** Only ids, and only for another region's acceptance: nothing of a document leaves here. */
async function results(world: World, { request, index }: Asked) {
  const local = world.index(index);
  const { vector, ...query } = await body(request, resultsBody);
  try {
    const hits = await local.store.search({
      ...query,
      vector: floatsOf(Buffer.from(vector, "base64")),
    });
    return { ids: hits.map(({ id }) => id) };
  } catch (error) {
    // A copy that answers nobody is no measure of another one.
    if (error instanceof TideoverError && error.code.startsWith("INDEX_")) return { ids: null };
    throw error;
  }
}

async function facts(world: World, { index }: Asked) {
  return { facts: await world.index(index).store.facts() };
}

async function verifyNow(world: World, { index }: Asked) {
  return verify(world, world.index(index));
}

async function prove(world: World, { index }: Asked) {
  return proveNow(world, world.index(index));
}

async function repair(world: World, { index }: Asked) {
  return repairNow(world, world.index(index));
}
