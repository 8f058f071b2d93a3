import type { LocalIndex } from "../local-index.ts";
import type { World } from "../world.ts";

/** Requests that are looked at: what callers ask for shows in far fewer. */
const NEWEST = 50_000;

/**
 * How often the newest answers of this region's gateway rested on each record of an index. From the
 * audit log, which is kept anyway and outlives every process; a counter in the request path would
 * cost each request, and know nothing after a restart. The agents' own questions do not count.
 */
export async function hitsOf(
  world: World,
  { name }: LocalIndex,
  newest = NEWEST,
): Promise<Map<string, number>> {
  const { traffic, spec } = world.options;
  const hits = new Map<string, number>();
  if (traffic === undefined) return hits;
  for await (const { workflow, sources, requestId } of traffic.newest(newest)) {
    if (sources.length === 0 || world.isOwnId(requestId)) continue;
    if (spec.workflows[workflow ?? ""]?.retrieval?.index !== name) continue;
    for (const id of sources) hits.set(id, (hits.get(id) ?? 0) + 1);
  }
  return hits;
}
