import type { EstateReleases } from "../../core/publish/releases.ts";
import { buildSnapshot } from "../../core/publish/snapshot.ts";
import { canonicalJson } from "../../lib/canonical.ts";
import type { Intent } from "../../model/intent.ts";
import { KEYS } from "../../model/keys.ts";
import type { SignedSnapshot, Snapshot } from "../../model/snapshot.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Traffic } from "../../ports/traffic.ts";
import type { ControllerDeps } from "../deps.ts";
import type { Write } from "./record.ts";
import { type Held, type StoredSnapshot, snapshotValue, unchanged } from "./state.ts";

type SnapshotDeps = Pick<ControllerDeps, "spec" | "sign" | "clock">;

export interface NextSnapshot {
  readonly snapshot: StoredSnapshot;
  /** Holds only on the snapshot it was numbered after: two of one number cannot be. */
  readonly write: Required<Write>;
}

/**
 * The snapshot after `current`, built from the intents. `floor`: the highest number that a gateway
 * is known to have. It matters only after the store was restored from a backup: gateways refuse
 * numbers that are not above their own, and without it they would refuse everything from then on.
 */
export function nextSnapshot(
  deps: SnapshotDeps,
  current: Held<StoredSnapshot> | null,
  input: {
    readonly intents: readonly Intent[];
    readonly releases: EstateReleases;
    readonly because: string;
    readonly floor?: number;
  },
): NextSnapshot {
  const { spec, sign, clock } = deps;
  const { intents, releases, because, floor = 0 } = input;
  const number = Math.max(current?.value.number ?? 0, floor) + 1;
  const body = buildSnapshot({ spec, releases, intents, number, because, now: clock.now() });
  const snapshot = { number, signed: sign(canonicalJson(body)) };
  return {
    snapshot,
    write: {
      compare: [unchanged(KEYS.snapshot, current)],
      operations: [{ put: KEYS.snapshot, value: snapshotValue(snapshot) }],
      facts: [
        {
          kind: "snapshot",
          text: `snapshot ${number}: ${because}`,
          data: { number, releases: releasesIn(body), workflows: body.workflows },
        },
      ],
    },
  };
}

function releasesIn({ regions }: Snapshot): Record<string, string> {
  return Object.fromEntries(Object.entries(regions).map(([name, { release }]) => [name, release]));
}

/**
 * Why the published snapshot is not what spec, release and intents say now; null when it is. Only
 * to be asked while nothing moves: between a plan's new epoch and its opening the two differ on
 * purpose.
 */
export function snapshotDrift(
  deps: SnapshotDeps,
  current: StoredSnapshot | null,
  { intents, releases }: { readonly intents: readonly Intent[]; readonly releases: EstateReleases },
  highestAcknowledged: number,
): string | null {
  if (current === null) return "the first snapshot of this estate";
  if (highestAcknowledged > current.number) {
    return `a gateway has snapshot ${highestAcknowledged}, above the store's ${current.number}`;
  }
  const { spec } = deps;
  const wanted = buildSnapshot({ spec, releases, intents, number: 1, because: "", now: 0 });
  const published: Snapshot = JSON.parse(current.signed.payload);
  const same = content(wanted) === content({ ...published, number: 1, because: "", issuedAt: 0 });
  return same ? null : "the spec, a region's release or an ownership changed";
}

function content(snapshot: Snapshot): string {
  return canonicalJson(snapshot);
}

/** Which number each region's gateway is known to have, and when that was known. */
interface Known {
  readonly number: number | null;
  /** Monotonic. */
  readonly at: number;
}

export interface Publisher {
  /** Offers it to these regions' gateways at once, without waiting for any of them. */
  offer(snapshot: StoredSnapshot, regions: readonly string[]): void;
  /** Offers it again to every gateway that has an older one. */
  remind(snapshot: StoredSnapshot, reported: ReadonlyMap<string, Known>): void;
}

/** Least time between two offers to one gateway: a dead one is not hammered. */
const OFFER_PAUSE_MS = 1_000;
/** A gateway that no fresh report speaks of is asked itself, this often. */
const UNREPORTED_PAUSE_MS = 5_000;

/** Offers run beside the engine: a gateway that hangs until its time is over holds nobody up. */
export function createPublisher(options: {
  readonly traffic: Traffic;
  readonly clock: Clock;
  readonly regions: readonly string[];
}): Publisher {
  const { traffic, clock, regions } = options;
  const underWay = new Set<string>();
  const answered = new Map<string, Known>();

  function offerTo(region: string, signed: SignedSnapshot): void {
    if (underWay.has(region)) return;
    underWay.add(region);
    void traffic.publish(region, signed).then((answer) => {
      underWay.delete(region);
      const number = answer.reachable ? answer.number : null;
      answered.set(region, { number, at: clock.monotonic() });
    });
  }

  function isBehind(region: string, number: number, reported: Known | undefined): boolean {
    const own = answered.get(region);
    const sinceOffer = clock.monotonic() - (own?.at ?? Number.NEGATIVE_INFINITY);
    if (sinceOffer < OFFER_PAUSE_MS) return false;
    const newest = own === undefined || (reported && reported.at > own.at) ? reported : own;
    if (newest?.number != null) return newest.number < number;
    return sinceOffer >= UNREPORTED_PAUSE_MS;
  }

  return {
    offer(snapshot, to) {
      for (const region of to) offerTo(region, snapshot.signed);
    },
    remind(snapshot, reported) {
      for (const region of regions) {
        if (isBehind(region, snapshot.number, reported.get(region))) {
          offerTo(region, snapshot.signed);
        }
      }
    },
  };
}
