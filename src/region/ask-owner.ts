import { z } from "zod";
import { unpackEntries } from "../core/reconcile/packed-records.ts";
import { TideoverError } from "../lib/errors.ts";
import { type LogEntry, logEntrySchema } from "../model/change.ts";
import { ENTRIES_MEDIA } from "../model/index-snapshot.ts";
import type { Ownership } from "../model/intent.ts";
import { type Position, positionSchema } from "../model/position.ts";
import { AGENT_PATHS, HEADERS } from "../wire/headers.ts";
import { askJson, parseJson } from "./peer.ts";
import type { World } from "./world.ts";

const ownerWordSchema = z.object({
  position: positionSchema,
  /** Its log holds the entries above this seq; an agent of an older version trims none. */
  base: z.int().min(0).default(0),
  /** Its entry at the seq that was asked for, without the content; null when its log ends before. */
  at: logEntrySchema.pick({ seq: true, epoch: true, digestAfter: true }).nullable(),
});
export type OwnerWord = z.infer<typeof ownerWordSchema>;

/**
 * Where the owner of an index stands, in one round trip with its entry at `seq` (0: none is
 * wanted). Throws PEER_UNAVAILABLE.
 */
export function askOwner(
  world: World,
  ownership: Ownership,
  seq: number,
  timeoutMs: number = patience(world),
): Promise<OwnerWord> {
  const path = `${AGENT_PATHS.index(ownership.index)}?at=${seq}`;
  return ask(world, ownership, path, ownerWordSchema, timeoutMs);
}

/**
 * The owner's next entries; fewer than `limit` when they are large. With `waitMs` an owner that has
 * none answers as soon as it has, or after that time. Throws PEER_UNAVAILABLE.
 */
export async function askEntries(
  world: World,
  ownership: Ownership,
  after: number,
  limit: number,
): Promise<readonly LogEntry[]> {
  return (await askPage(world, ownership, { after, limit })).entries;
}

export interface AskedPage {
  readonly after: number;
  readonly limit: number;
  readonly waitMs?: number;
}

/** A page of the owner's log. */
export interface LogPage {
  readonly entries: readonly LogEntry[];
  /** Where the owner stood when it had sent it; null when it did not say. */
  readonly position: Position | null;
}

/** See `askEntries`. Packed, where both agents can: several times as fast as JSON. */
export async function askPage(
  world: World,
  ownership: Ownership,
  { after, limit, waitMs = 0 }: AskedPage,
): Promise<LogPage> {
  const path = `${AGENT_PATHS.entries(ownership.index)}?after=${after}&limit=${limit}&wait=${waitMs}`;
  const { bulk } = world.options;
  const timeoutMs = patience(world) + waitMs;
  if (bulk === undefined) {
    const entries = await ask(world, ownership, path, z.array(logEntrySchema), timeoutMs);
    return { entries, position: null };
  }
  const who = `the agent of ${ownership.region}`;
  const { status, headers, body } = await bulk.get({
    url: `${agentOf(world, ownership)}${path}`,
    headers: { ...tokenHeader(world), accept: `${ENTRIES_MEDIA}, application/json` },
    ...{ timeoutMs, who, mostBytes: MOST_PAGE_BYTES, signal: world.stop.signal },
  });
  if (status !== 200) throw notAnswered(`${who} answered ${status}`);
  if (headers["content-type"] !== ENTRIES_MEDIA) {
    const entries = z.array(logEntrySchema).safeParse(parseJson(body.toString("utf8"))).data;
    if (entries !== undefined) return { entries, position: null };
    throw notAnswered(`${who} sent what is no page of its log`);
  }
  const position = positionSchema.safeParse(parseJson(headers[HEADERS.position] ?? "")).data;
  return { entries: unpackEntries(body), position: position ?? null };
}

/** Of a packed page: one entry may be larger than what a page is meant to have. */
const MOST_PAGE_BYTES = 32 * 1_048_576;

function notAnswered(message: string): TideoverError {
  return new TideoverError(message, {
    code: "PEER_UNAVAILABLE",
    retry: "later",
    next: "Look at the named process; it is asked again by itself.",
  });
}

/** Longer than a look: an owner under load must not look dead to its replicas. */
function patience(world: World): number {
  return world.options.spec.detection.timeout * 3;
}

function ask<T>(
  world: World,
  ownership: Ownership,
  path: string,
  schema: z.ZodType<T>,
  timeoutMs: number,
): Promise<T> {
  return askJson(world.options.probe, {
    url: `${agentOf(world, ownership)}${path}`,
    headers: tokenHeader(world),
    timeoutMs,
    schema,
    who: `the agent of ${ownership.region}`,
  });
}

function agentOf(world: World, { region }: Ownership): string {
  const base = world.agentUrl(region);
  if (base !== null) return base;
  throw new TideoverError(`the spec gives ${region} no agent to pull from`, {
    code: "PEER_UNAVAILABLE",
    next: "Add `agent: host:port` to that region.",
  });
}

function tokenHeader(world: World) {
  return { authorization: `Bearer ${world.options.token}` };
}
