import { existsSync } from "node:fs";
import { LEAF_BITS, type RangeRef } from "../model/record.ts";
import type { IndexStore } from "../ports/index.ts";
import type { Estate } from "./estate.ts";
import { openIndexes } from "./indexes.ts";

/** How many log entries are looked through for the newest document. */
const TAIL = 100;

/**
 * Embedding versions that the newest record of each index bears, in whichever regions have a copy
 * on this machine. An index of which there is no copy here, or an empty one, is left out.
 */
export async function indexEmbeddings(estate: Estate): Promise<Map<string, string[]>> {
  const found = new Map<string, Set<string>>();
  for (const region of Object.keys(estate.spec.regions)) {
    for (const [name, index] of await copiesHere(estate, region)) {
      // A server may not be reached from here, or be open to the agent's user only.
      const version = await newestVersion(index)
        .catch(() => null)
        .finally(() => index.close());
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
  const own = data.region(region);
  const file = (name: string): string =>
    part?.engine === "lancedb" ? own.lanceLedger(name) : own.index(name);
  return Object.keys(spec.indexes).some((name) => existsSync(file(name)));
}

/** Of the newest logged document, or of any record where the log has none (after a restore). */
async function newestVersion(index: IndexStore): Promise<string | null> {
  const { seq } = await index.position();
  if (seq === 0) return null;
  const last = await index.entriesAfter(Math.max(0, seq - TAIL), TAIL);
  // A watermark speaks of no document, and bears no version.
  const document = last.findLast(({ op }) => op !== "watermark");
  return document?.embedding ?? (await anyVersion(index));
}

async function anyVersion(index: IndexStore): Promise<string | null> {
  let range: RangeRef = { prefix: 0, bits: 0 };
  while (range.bits < LEAF_BITS) {
    const parts = await index.sums([range], LEAF_BITS / 2);
    const filled = parts.find(({ count }) => count > 0);
    if (filled === undefined) return null;
    range = { prefix: filled.prefix, bits: filled.bits };
  }
  const [record] = await index.recordsIn(range);
  return record?.embedding ?? null;
}
