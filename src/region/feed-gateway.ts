import { z } from "zod";
import { TideoverError } from "../lib/errors.ts";
import { outcomeWindowSchema } from "../model/outcomes.ts";
import { GATEWAY_PATHS } from "../wire/headers.ts";
import { askJson, parseJson } from "./peer.ts";
import type { KnownSnapshot, World } from "./world.ts";

/** What a gateway says of itself. More than this is its own business. */
const gatewayStatusSchema = z.object({
  number: z.int(),
  sinceMs: z.number(),
  lastError: z.string().nullable(),
  release: z.string().optional(),
  releaseSinceMs: z.number().optional(),
  // A window of a shape that is not known here must not make the gateway look away.
  outcomes: z.array(outcomeWindowSchema).optional().catch(undefined),
});
export type GatewayStatus = z.infer<typeof gatewayStatusSchema>;

export function askGatewayStatus(world: World, timeoutMs: number): Promise<GatewayStatus> {
  const { probe, region } = world.options;
  return askJson(probe, {
    url: `${world.gatewayUrl}${GATEWAY_PATHS.status}`,
    headers: {},
    timeoutMs,
    schema: gatewayStatusSchema,
    who: `the gateway of ${region}`,
  });
}

const offerSchema = z.object({ number: z.int(), reason: z.string().optional() });

/**
 * Looks at what the own gateway serves, and hands it the store's newest snapshot when it is behind:
 * it may have been away when the controller published, and the agent stands next to it. The work
 * throws PEER_UNAVAILABLE when it does not answer, SNAPSHOT_REFUSED when it does not take it.
 */
export function createFeeder(world: World): () => Promise<void> {
  let behind: number | null = null;
  return async () => {
    const { timeout } = world.options.spec.detection;
    // Cleared first: a report must not go on telling the last answer of a gateway that is gone.
    world.gateway = await askGatewayStatus(world, timeout).catch((error: unknown) => {
      world.gateway = null;
      throw error;
    });
    const newest = world.snapshot;
    const missing = newest !== null && newest.number > world.gateway.number ? newest : null;
    // Only when it was missing at the last look, too. The controller offers it at the same moment;
    // the second offer would be refused, and stand as an error in the gateway's status.
    if (missing !== null && missing.number === behind) await offer(world, missing);
    behind = missing?.number ?? null;
  };
}

async function offer(world: World, { signed, number }: KnownSnapshot): Promise<void> {
  const { probe, region, spec } = world.options;
  const answer = await probe.exchange({
    url: `${world.gatewayUrl}${GATEWAY_PATHS.snapshot}`,
    method: "PUT",
    body: signed,
    timeoutMs: spec.detection.timeout,
  });
  const said = answer.answered ? offerSchema.safeParse(parseJson(answer.body)).data : undefined;
  // Somebody else was quicker: it serves this one or a newer one, which is all that is wanted.
  if (said !== undefined && said.number >= number) return;
  const why = answer.answered ? (said?.reason ?? `it answered ${answer.status}`) : answer.reason;
  throw new TideoverError(`the gateway of ${region} does not take snapshot ${number}: ${why}`, {
    code: "SNAPSHOT_REFUSED",
    retry: "later",
    next: "Look into the gateway's log; the snapshot is offered again by itself.",
  });
}
