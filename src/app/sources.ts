import { openCapture } from "../adapters/index-pgvector/capture.ts";
import type { ChangeSource } from "../ports/source.ts";
import type { Estate } from "./estate.ts";

/** Where the notes about an adopted table are. */
const SCHEMA = "tideover_source";

/**
 * What indexes are fed from, by index. A region whose environment does not know the table's
 * database is left out: it owns the index only while the table's own region is away.
 */
export async function openSources({ spec }: Estate): Promise<Map<string, ChangeSource>> {
  const sources = new Map<string, ChangeSource>();
  for (const [index, { adopt }] of Object.entries(spec.indexes)) {
    const url = adopt === undefined ? undefined : process.env[adopt.urlEnv];
    if (adopt === undefined || url === undefined) continue;
    sources.set(index, await openCapture({ url: url.trim(), schema: SCHEMA, index, adopt }));
  }
  return sources;
}
