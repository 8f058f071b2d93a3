import { TideoverError } from "../lib/errors.ts";
import type { Ownership } from "../model/intent.ts";
import type { LocalIndex } from "./local-index.ts";
import type { World } from "./world.ts";

/**
 * A replica's write. The ownership is compared under the lock that an ownership message takes: what
 * a page from a former owner would add after the promotion was told, nobody has accounted for.
 */
export function writeAsReplica<T>(
  world: World,
  local: LocalIndex,
  from: Ownership,
  work: () => Promise<T>,
): Promise<T> {
  return local.writing.run(async () => {
    const now = world.book.of(local.name);
    if (now?.epoch === from.epoch && now.region === from.region) return work();
    throw new TideoverError(
      `index "${local.name}" moved from ${from.region} to ${now?.region} during a pull`,
      { code: "EPOCH_STALE", retry: "now" },
    );
  });
}
