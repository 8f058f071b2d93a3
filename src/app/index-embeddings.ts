import { existsSync } from "node:fs";
import { answeredVersions } from "../core/reconcile/vectors.ts";
import type { IndexStore } from "../ports/index.ts";
import type { Estate } from "./estate.ts";
import { openIndexes } from "./indexes.ts";

/**
 * Embedding versions that each copy of an index answers, of those that are on this machine; by index.
 * An index of which there is no copy here, or an empty one, is left out.
 */
export async function indexEmbeddings(estate: Estate): Promise<Map<string, string[][]>> {
  const found = new Map<string, string[][]>();
  for (const region of Object.keys(estate.spec.regions)) {
    for (const [name, index] of await copiesHere(estate, region)) {
      // A server may not be reached from here, or be open to the agent's user only.
      const held = await index
        .vectors()
        .catch(() => [])
        .finally(() => index.close());
      if (held.length === 0) continue;
      found.set(name, [...(found.get(name) ?? []), answeredVersions(held)]);
    }
  }
  return found;
}

async function copiesHere(estate: Estate, region: string): Promise<Map<string, IndexStore>> {
  return isHere(estate, region) ? openIndexes(estate, region, { readOnly: true }) : new Map();
}

/** Whether this machine has the region's files, or knows its server. */
function isHere({ spec, data }: Estate, region: string): boolean {
  const part = spec.regions[region]?.components.index;
  if (part?.engine === "pgvector") return process.env[part.urlEnv ?? ""] !== undefined;
  const own = data.region(region);
  const file = (name: string): string =>
    part?.engine === "lancedb" ? own.lanceLedger(name) : own.index(name);
  return Object.keys(spec.indexes).some((name) => existsSync(file(name)));
}
