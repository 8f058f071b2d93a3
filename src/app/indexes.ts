import { openSqliteIndex } from "../adapters/index-sqlite/index.ts";
import type { IndexStore } from "../ports/index.ts";
import type { Estate } from "./estate.ts";

/** A region's copies of every index of the spec. Only the agent opens them to write. */
export async function openIndexes(
  estate: Estate,
  region: string,
  { readOnly }: { readonly readOnly: boolean },
): Promise<Map<string, IndexStore>> {
  const indexes = new Map<string, IndexStore>();
  for (const name of Object.keys(estate.spec.indexes)) {
    const path = estate.data.region(region).index(name);
    indexes.set(name, await openSqliteIndex({ path, readOnly }));
  }
  return indexes;
}
