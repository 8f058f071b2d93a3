import { z } from "zod";
import { TideoverError } from "../lib/errors.ts";
import { type LogEntry, logEntrySchema } from "../model/change.ts";
import type { Ownership } from "../model/intent.ts";
import { positionSchema } from "../model/position.ts";
import { AGENT_PATHS } from "../wire/headers.ts";
import { askJson } from "./peer.ts";
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

/** The owner's next entries; fewer than `limit` when they are large. Throws PEER_UNAVAILABLE. */
export function askEntries(
  world: World,
  ownership: Ownership,
  after: number,
  limit: number,
): Promise<LogEntry[]> {
  const path = `${AGENT_PATHS.entries(ownership.index)}?after=${after}&limit=${limit}`;
  return ask(world, ownership, path, z.array(logEntrySchema), patience(world));
}

/** Longer than a look: an owner under load must not look dead to its replicas. */
function patience(world: World): number {
  return world.options.spec.detection.timeout * 3;
}

function ask<T>(
  world: World,
  { region }: Ownership,
  path: string,
  schema: z.ZodType<T>,
  timeoutMs: number,
): Promise<T> {
  const base = world.agentUrl(region);
  if (base === null) {
    throw new TideoverError(`the spec gives ${region} no agent to pull from`, {
      code: "PEER_UNAVAILABLE",
      next: "Add `agent: host:port` to that region.",
    });
  }
  return askJson(world.options.probe, {
    url: `${base}${path}`,
    headers: { authorization: `Bearer ${world.options.token}` },
    timeoutMs,
    schema,
    who: `the agent of ${region}`,
  });
}
