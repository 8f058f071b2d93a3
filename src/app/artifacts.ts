import { openLayout } from "../adapters/artifacts-layout/layout.ts";
import { openRegistry } from "../adapters/artifacts-registry/registry.ts";
import type { ArtifactSource, ArtifactStore } from "../ports/artifacts.ts";
import type { Clock } from "../ports/clock.ts";
import type { Store } from "../ports/store.ts";
import { inUseBy } from "../region/artifacts/keep-artifacts.ts";
import { ArtifactKeeper } from "../region/artifacts/keeper.ts";
import type { SnapshotPlaces } from "../region/options.ts";
import { AGENT_PATHS } from "../wire/headers.ts";
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

export interface RegionSnapshots {
  readonly places: SnapshotPlaces;
  /** To be closed after whoever uses the places. */
  close(): Promise<void>;
}

/** Where a region's index snapshots are: its own layout, and the others' through their agents. */
export function openSnapshots(
  { spec, data }: Estate,
  region: string,
  token: string,
): RegionSnapshots {
  const own = openLayout({ folder: data.region(region).artifacts });
  const others = new Map<string, ArtifactStore>();
  const of = (other: string): ArtifactSource | null => {
    const agent = spec.regions[other]?.agent;
    if (agent === undefined) return null;
    const known = others.get(other);
    const source =
      known ?? openRegistry({ url: `http://${agent}${AGENT_PATHS.artifactsOf}`, secret: token });
    others.set(other, source);
    return source;
  };
  const close = async (): Promise<void> => {
    for (const place of [own, ...others.values()]) await place.close();
  };
  return { places: { own, of }, close };
}
