import type { Acceptance } from "../../core/reconcile/acceptance.ts";
import type { VectorModel } from "../../model/vectors.ts";
import type { LocalIndex } from "../local-index.ts";
import type { World } from "../world.ts";
import { accept } from "./accept.ts";
import { proveBySearch } from "./proofs.ts";
import { scrubAll } from "./scrub.ts";

/**
 * Whether this region's copy may be asked with an embedding version that it was not asked with so
 * far: the same gate that a repaired copy passes, with searches of that version.
 */
export function acceptVersion(
  world: World,
  local: LocalIndex,
  model: VectorModel,
): Promise<Acceptance> {
  return local.health.tending.run(async () => {
    const { findings } = await scrubAll(world, local);
    const proofs = await proveBySearch(world, local, model);
    return accept(world, local, findings, proofs);
  });
}
