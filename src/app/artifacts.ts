import type { ArtifactStore } from "../ports/artifacts.ts";
import type { Clock } from "../ports/clock.ts";
import type { Store } from "../ports/store.ts";
import { inUseBy } from "../region/artifacts/keep-artifacts.ts";
import { ArtifactKeeper } from "../region/artifacts/keeper.ts";
import { artifactPlace, openPlace } from "./artifact-places.ts";
import type { Estate } from "./estate.ts";

export interface RegionArtifacts {
  readonly keeper: ArtifactKeeper;
  /** To be closed after whoever uses the keeper. */
  readonly opened: readonly ArtifactStore[];
}

/** A region's own copies, and where they come from; null when the spec names no such place. */
export function openArtifacts(
  { spec, data }: Estate,
  region: string,
  { clock, store }: { readonly clock: Clock; readonly store: Store },
): RegionArtifacts | null {
  if (spec.artifacts === undefined) return null;
  const { from, authEnv, caFile, parallel } = spec.artifacts;
  const source = openPlace(artifactPlace(from), { authEnv, caFile });
  const own = openPlace({ kind: "layout", at: data.region(region).artifacts });
  const keeper = new ArtifactKeeper({
    ...{ source, from, store: own, clock, parallel },
    inUse: () => inUseBy(store),
  });
  return { keeper, opened: [source, own] };
}
