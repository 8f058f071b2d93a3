import {
  MemoryAudit,
  ROUTE,
  regionOf,
  snapshotOf,
  type World,
} from "../../../test/support/gateway-world.ts";
import { type FakeUpstream, startUpstream } from "../../../test/support/upstream.ts";
import type { Snapshot } from "../../model/snapshot.ts";
import type { Gateway } from "../server.ts";

export const CHAT = "/v1/chat/completions";
export const EMBEDDINGS = "/v1/embeddings";

export interface TwoRegions {
  readonly upstream: FakeUpstream;
  /** Of eu-west, which serves. */
  readonly serving: Gateway;
  /** Of us-east, which forwards. */
  readonly forwarding: Gateway;
  /** eu-west's. */
  readonly audit: MemoryAudit;
}

/** An estate of two gateways and one target: whatever an API promises, it promises at both. */
export async function twoRegions(
  world: World,
  changes: Partial<Snapshot> = {},
): Promise<TwoRegions> {
  const audit = new MemoryAudit();
  const upstream = await world.own(startUpstream("eu"));
  const [here, there] = [await world.holder(null), await world.holder(null)];
  const timeouts = { holdMs: 0 };
  const serving = await world.gateway({ region: "eu-west", snapshots: here, audit, timeouts });
  const forwarding = await world.gateway({ region: "us-east", snapshots: there, timeouts });
  const regions = {
    "eu-west": regionOf(serving.url, upstream.url),
    "us-east": regionOf(forwarding.url),
  };
  const signed = world.sign(snapshotOf({ regions, ...changes }));
  for (const holder of [here, there]) await holder.offer(signed);
  return { upstream, serving, forwarding, audit };
}

/** A workflow that retrieves, `search`, beside one that does not. */
export const RETRIEVING: Snapshot["workflows"] = {
  search: { ...ROUTE, retrieval: { index: "handbook", topK: 4, required: false } },
  support: ROUTE,
};
