import { Stop } from "../lib/stop.ts";
import type { RegionName } from "../model/ids.ts";
import { type SignedSnapshot, snapshotSchema } from "../model/snapshot.ts";
import type { Clock } from "../ports/clock.ts";
import { GATEWAY_PATHS } from "../wire/headers.ts";
import { parseSigned, type SnapshotHolder } from "./snapshots.ts";
import { exchange } from "./targets/exchange.ts";
import type { Pools } from "./targets/pools.ts";

export interface PeersOptions {
  readonly region: RegionName;
  readonly snapshots: SnapshotHolder;
  readonly pools: Pools;
  readonly clock: Clock;
  readonly peerMs: number;
  /** The estate's token: peers show their snapshot to nobody else. */
  readonly token: string | null;
  /** Base URL of each region's gateway, for as long as no snapshot names it. */
  readonly known: ReadonlyMap<RegionName, string>;
}

/**
 * What the other regions' gateways believe. A region that comes back holds the belief it died
 * with, which may say that it still serves; asking its peers first corrects that without any
 * controller. They need not be trusted: the signature and the number decide.
 */
export class Peers {
  readonly #options: PeersOptions;
  readonly #asking = new Map<RegionName, Promise<void>>();

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  /** Asks every peer at once and adopts the highest valid snapshot. Never throws. */
  async learn(): Promise<void> {
    const { snapshots, region, known } = this.#options;
    // Without a snapshot (a new disk, a refused file) the peers are all there is to learn from.
    const regions = new Set([...Object.keys(snapshots.current()?.regions ?? {}), ...known.keys()]);
    regions.delete(region);
    const told = await Promise.all([...regions].map((name) => this.#ask(name)));
    await this.#adopt(told.filter((signed) => signed !== null));
  }

  /** A peer's answer named a number above ours: fetches it, once however many answers named it. */
  noticed(region: RegionName, number: number): Promise<void> {
    if (number <= this.#options.snapshots.number) return Promise.resolve();
    const underWay = this.#asking.get(region);
    if (underWay !== undefined) return underWay;
    const asking = this.#ask(region)
      .then((signed) => this.#adopt(signed === null ? [] : [signed]))
      .finally(() => this.#asking.delete(region));
    this.#asking.set(region, asking);
    return asking;
  }

  async #ask(region: RegionName): Promise<SignedSnapshot | null> {
    const { snapshots, pools, clock, peerMs, known, token } = this.#options;
    const base = snapshots.current()?.regions[region]?.gateway ?? known.get(region);
    const place = base === undefined ? null : pools.place(base, GATEWAY_PATHS.snapshot);
    if (place === null) return null;
    const answer = await exchange(pools, clock, {
      place,
      method: "GET",
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      signal: new Stop(),
      firstMs: peerMs,
    });
    if (answer.kind !== "whole" || answer.status !== 200) return null;
    return parseSigned(answer.body.toString("utf8"));
  }

  /** Highest first; the next one when that does not verify. */
  async #adopt(told: readonly SignedSnapshot[]): Promise<void> {
    const { snapshots } = this.#options;
    // Not newer is the normal case between peers, and no error to remember: it is not even offered.
    const newer = told
      .map((signed) => ({ signed, number: claimedNumber(signed) }))
      .filter(({ number }) => number > snapshots.number)
      .toSorted((a, b) => b.number - a.number);
    for (const { signed } of newer) {
      if ((await snapshots.offer(signed)).adopted) return;
    }
  }
}

/** The number that an unverified snapshot claims; 0 when it cannot be read. */
function claimedNumber(signed: SignedSnapshot): number {
  try {
    return snapshotSchema.parse(JSON.parse(signed.payload)).number;
  } catch {
    // Nothing is lost: what does not parse would be refused by the holder, too.
    return 0;
  }
}
