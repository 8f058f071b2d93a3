import { existsSync } from "node:fs";
import type { IndexStore } from "../ports/index.ts";
import type { Estate } from "./estate.ts";
import { openIndexes } from "./indexes.ts";

/**
 * Embedding versions that the newest record of each index bears, in whichever regions have a copy
 * on this machine. An index of which there is no copy here, or an empty one, is left out.
 */
export async function indexEmbeddings(estate: Estate): Promise<Map<string, string[]>> {
  const found = new Map<string, Set<string>>();
  for (const region of Object.keys(estate.spec.regions)) {
    for (const [name, index] of await copiesHere(estate, region)) {
      const version = await newestVersion(index).finally(() => index.close());
      if (version === null) continue;
      found.set(name, (found.get(name) ?? new Set()).add(version));
    }
  }
  return new Map([...found].map(([name, versions]) => [name, [...versions].sort()]));
}

async function copiesHere(estate: Estate, region: string): Promise<Map<string, IndexStore>> {
  return isHere(estate, region) ? openIndexes(estate, region, { readOnly: true }) : new Map();
}

/** Whether this machine has the region's files, or knows its server. */
function isHere({ spec, data }: Estate, region: string): boolean {
  const part = spec.regions[region]?.components.index;
  if (part?.engine === "pgvector") return process.env[part.urlEnv ?? ""] !== undefined;
  return Object.keys(spec.indexes).some((name) => existsSync(data.region(region).index(name)));
}

async function newestVersion(index: IndexStore): Promise<string | null> {
  const { seq } = await index.position().catch(() => ({ seq: 0 }));
  if (seq === 0) return null;
  // A server's log is open to the agent's user only; without it, nothing is known from here.
  const entry = await index.entryAt(seq).catch(() => null);
  return entry?.embedding ?? null;
}
