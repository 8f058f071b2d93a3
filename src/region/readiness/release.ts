import { messageOf } from "../../lib/errors.ts";
import { HEADERS } from "../../wire/headers.ts";
import { askGatewayStatus } from "../feed-gateway.ts";
import { followStore } from "../follow-store.ts";
import type { AgentOptions } from "../options.ts";
import type { KnownRelease, World } from "../world.ts";
import { type Judgement, NO_KEY, type ReadinessCheck } from "./check.ts";

/** What a published snapshot may take to reach a gateway, and how often it is looked for. */
const PUBLISHING_MS = 1_000;
const AGAIN_MS = 50;

/** The gateway answers by itself, with the intended release, from the newest snapshot. */
export const releaseCheck: ReadinessCheck = {
  name: "release",
  restMs: 0,
  applies: () => true,
  required: () => true,
  async check({ world, canary, askMs }) {
    const { region } = world.options;
    // The store before the gateway: then a snapshot published in between cannot look missing.
    const reachable = await followStore(world).then(
      () => true,
      () => false,
    );
    const newest = reachable ? (world.snapshot?.number ?? null) : null;
    const status = await statusOnceLevel(world, newest, askMs).catch(messageOf);
    const asked = await canary();
    if (asked === null) return NO_KEY;
    const { headers, failure } = asked.answer;
    const digest = world.release?.digest ?? null;
    return judgeRelease(
      { region, digest, newest, remark: remarkOf(world) },
      {
        failure: typeof status === "string" ? status : failure,
        region: headers[HEADERS.region] ?? null,
        digest: headers[HEADERS.release] ?? null,
        serves: typeof status === "string" ? 0 : status.number,
      },
    );
  },
};

/**
 * The gateway's status, once it serves the newest snapshot or has had its time to take it. The store
 * holds a snapshot some milliseconds before any gateway: a check that fell in between would call a
 * sound region unready, and a failback asked for just then would be refused.
 */
async function statusOnceLevel(
  world: World,
  newest: number | null,
  askMs: number,
): Promise<{ readonly number: number }> {
  const { clock } = world.options;
  const end = clock.monotonic() + PUBLISHING_MS;
  for (;;) {
    const status = await askGatewayStatus(world, askMs);
    if (newest === null || status.number >= newest || clock.monotonic() >= end) return status;
    await clock.sleep(AGAIN_MS, world.stop.signal);
  }
}

export interface ExpectedRelease {
  readonly region: string;
  /** null: nobody says which release it must be. */
  readonly digest: string | null;
  /** Number of the store's newest snapshot; null when the store cannot be read. */
  readonly newest: number | null;
  /** What a person should know of a release that is the right one all the same; null: nothing. */
  readonly remark?: string | null;
}

export interface ObservedRelease {
  readonly failure: string | null;
  readonly region: string | null;
  readonly digest: string | null;
  /** Number of the snapshot that the gateway serves. */
  readonly serves: number;
}

export function judgeRelease(expected: ExpectedRelease, observed: ObservedRelease): Judgement {
  const { failure, region, digest, serves } = observed;
  const fail = (evidence: string): Judgement => ({ pass: false, evidence });
  if (failure !== null) return fail(`the canary was not answered: ${failure}`);
  // An answer from elsewhere would prove the other region's readiness and be taken for this one's.
  if (region !== expected.region) {
    return fail(`the canary was answered by ${region}, not by ${expected.region} itself`);
  }
  if (expected.digest !== null && digest !== expected.digest) {
    return fail(`it answers with release ${digest}, expected ${expected.digest}`);
  }
  if (expected.newest !== null && serves < expected.newest) {
    return fail(`it serves snapshot ${serves}, the newest is ${expected.newest}`);
  }
  const newest =
    expected.newest === null ? "the store cannot be asked for a newer one" : "the newest";
  const remark = expected.remark == null ? "" : `; ${expected.remark}`;
  return { pass: true, evidence: `release ${digest}, snapshot ${serves} (${newest})${remark}` };
}

/**
 * That its signature has ended is no reason to be closed: what runs goes on being served, and a
 * region that was closed for a date would be missed in the disaster it is kept for. But a gateway
 * that starts refuses it.
 */
export function remarkOf({
  release,
  options: { clock, expiryOf },
}: {
  readonly release: KnownRelease | null;
  readonly options: Pick<AgentOptions, "clock" | "expiryOf">;
}): string | null {
  const signatures = release?.signatures;
  if (release === null || signatures === undefined || expiryOf === undefined) return null;
  try {
    const end = expiryOf({ digest: release.digest, signatures });
    if (end === null || clock.now() < Date.parse(end)) return null;
    return `EXPIRED at ${end}: sign it again, a gateway that restarts refuses it`;
  } catch (error) {
    return `nobody can tell until when it is signed: ${messageOf(error)}`;
  }
}
