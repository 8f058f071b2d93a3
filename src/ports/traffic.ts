import type { RegionName } from "../model/ids.ts";
import type { SignedSnapshot } from "../model/snapshot.ts";

/**
 * How the control plane tells gateways who serves. A gateway verifies the signature, compares the
 * number in the same step that adopts it, keeps it on disk, and only then acknowledges; a number
 * that is not above its own is refused and answered with its own.
 */
export interface Traffic {
  /** Offers a snapshot to one region's gateway. Never throws. */
  publish(region: RegionName, snapshot: SignedSnapshot): Promise<Acknowledgement>;
  /** What one region's gateway serves now. Never throws. */
  acknowledged(region: RegionName): Promise<Acknowledgement>;
}

export type Acknowledgement =
  | {
      readonly reachable: true;
      readonly number: number;
      readonly lastError: string | null;
      /** How long it has served that number, in ms, and which release; absent when it did not say. */
      readonly sinceMs?: number;
      readonly release?: string;
    }
  | { readonly reachable: false; readonly reason: string };
