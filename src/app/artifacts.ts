import { openLayout } from "../adapters/artifacts-layout/layout.ts";
import { openRegistry } from "../adapters/artifacts-registry/registry.ts";
import type { ArtifactSource, ArtifactStore } from "../ports/artifacts.ts";
import type { Clock } from "../ports/clock.ts";
import type { Store } from "../ports/store.ts";
import { inUseBy } from "../region/artifacts/keep-artifacts.ts";
import { ArtifactKeeper } from "../region/artifacts/keeper.ts";
import type { SnapshotPlaces } from "../region/options.ts";
import { AGENT_PATHS } from "../wire/headers.ts";
import { artifactPlace, type OpenOptions, openPlace } from "./artifact-places.ts";
import type { Estate } from "./estate.ts";
import { copiesFromOwn } from "./own-releases.ts";

export interface RegionArtifacts {
  readonly keeper: ArtifactKeeper;
  /** To be closed after whoever uses the keeper. */
  readonly opened: readonly ArtifactStore[];
}

/** A region's own copies, and where they come from; null when they come from nowhere. */
export function openArtifacts(
  estate: Estate,
  region: string,
  { clock, store }: { readonly clock: Clock; readonly store: Store },
): RegionArtifacts | null {
  const place = sourceOf(estate);
  if (place === null) return null;
  const { from, parallel } = place;
  const source = openPlace(artifactPlace(from), place);
  const own = openPlace({ kind: "layout", at: estate.data.region(region).artifacts });
  const keeper = new ArtifactKeeper({
    ...{ source, from, store: own, clock, parallel },
    inUse: () => inUseBy(store),
  });
  return { keeper, opened: [source, own] };
}

interface Source extends OpenOptions {
  readonly from: string;
  readonly parallel?: number;
}

/** The place that the spec names, or the layout of an estate that signs its releases itself. */
function sourceOf(estate: Estate): Source | null {
  const { spec, data } = estate;
  if (spec.artifacts !== undefined) return spec.artifacts;
  return copiesFromOwn(estate) ? { from: data.releases } : null;
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
