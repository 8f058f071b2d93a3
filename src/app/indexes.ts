import { openSqliteIndex } from "../adapters/index-sqlite/index.ts";
import type { IndexStore } from "../ports/index.ts";
import { readDigestKey } from "./digest-key.ts";
import type { Estate } from "./estate.ts";

/** Where one of a region's indexes is, and the key of its digests. Plain data: it crosses threads. */
export interface IndexPlace {
  readonly path: string;
  readonly digestKey?: Uint8Array;
}

/** A region's copies of every index of the spec. Only the agent opens them to write. */
export async function openIndexes(
  estate: Estate,
  region: string,
  { readOnly }: { readonly readOnly: boolean },
): Promise<Map<string, IndexStore>> {
  return openIndexFiles(indexPlaces(estate, region), { readOnly });
}

/** By name. Throws USAGE when the key of an index's digests is not in the environment. */
export function indexPlaces(estate: Estate, region: string): Map<string, IndexPlace> {
  const files = estate.data.region(region);
  const places = Object.entries(estate.spec.indexes).map(([name, { digestKeyEnv }]) => {
    const path = files.index(name);
    if (digestKeyEnv === undefined) return [name, { path }] as const;
    return [name, { path, digestKey: readDigestKey(name, digestKeyEnv, process.env) }] as const;
  });
  return new Map<string, IndexPlace>(places);
}

/** The keys of those indexes that have one: whoever looks for damage computes digests, too. */
export function digestKeys(estate: Estate, region: string): Map<string, Uint8Array> {
  const keys = [...indexPlaces(estate, region)].flatMap(([name, { digestKey }]) =>
    digestKey === undefined ? [] : [[name, digestKey] as const],
  );
  return new Map(keys);
}

export async function openIndexFiles(
  places: ReadonlyMap<string, IndexPlace>,
  { readOnly }: { readonly readOnly: boolean },
): Promise<Map<string, IndexStore>> {
  const indexes = new Map<string, IndexStore>();
  for (const [name, place] of places) {
    indexes.set(name, await openSqliteIndex({ ...place, readOnly }));
  }
  return indexes;
}
