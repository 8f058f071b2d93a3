import { openSqliteIndex } from "../adapters/index-sqlite/index.ts";
import type { IndexStore } from "../ports/index.ts";
import type { Estate } from "./estate.ts";

/** A region's copies of every index of the spec. Only the agent opens them to write. */
export async function openIndexes(
  estate: Estate,
  region: string,
  { readOnly }: { readonly readOnly: boolean },
): Promise<Map<string, IndexStore>> {
  return openIndexFiles(indexFiles(estate, region), { readOnly });
}

/** By name, where each of a region's indexes is. */
export function indexFiles(estate: Estate, region: string): Map<string, string> {
  const names = Object.keys(estate.spec.indexes);
  return new Map(names.map((name) => [name, estate.data.region(region).index(name)]));
}

export async function openIndexFiles(
  files: ReadonlyMap<string, string>,
  { readOnly }: { readonly readOnly: boolean },
): Promise<Map<string, IndexStore>> {
  const indexes = new Map<string, IndexStore>();
  for (const [name, path] of files) indexes.set(name, await openSqliteIndex({ path, readOnly }));
  return indexes;
}
