import { INDEX_TARGET, type Trouble } from "../../model/trouble.ts";
import type { LocalIndex } from "../local-index.ts";

/**
 * Marks the copies that refused to tell this region's gateway a record since they were last looked
 * at as a whole: the damaged record's turn may be an hour away. A copy that answers nobody (`out`)
 * says so by the agent's own doing. `now` is the agent's monotonic clock.
 */
export function doubt(
  indexes: ReadonlyMap<string, Pick<LocalIndex, "health">>,
  troubles: readonly Trouble[],
  now: number,
): void {
  for (const { target, domain, standing, seenAgoMs = 0 } of troubles) {
    if (domain !== "index-corruption" || standing === "out") continue;
    const health = indexes.get(target.slice(INDEX_TARGET.length))?.health;
    const wholeAgoMs = health?.seen(now).scrub.wholeAgoMs ?? null;
    if (health !== undefined && (wholeAgoMs === null || wholeAgoMs > seenAgoMs)) {
      health.doubted = true;
    }
  }
}
