import { type DigestKey, leafOf, rangeKey } from "../../core/reconcile/digest.ts";
import { rank } from "../../core/reconcile/heat.ts";
import type { RangeRef } from "../../model/record.ts";
import type { LocalIndex } from "../local-index.ts";
import { hitsOf } from "../snapshots/hits.ts";
import type { World } from "../world.ts";

/** The documents that callers get most often, and how many of them are looked at in a turn. */
const MOST = 256;
const PER_TURN = 16;
/** Answers that say what callers get, and how often they are read again. */
const ANSWERS = 2_000;
const AGAIN_MS = 60_000;

/**
 * What callers ask for, as ranges that are looked at out of turn: the next few; none where nobody has
 * asked for anything yet. An altered record is found when a search meets it; one whose vector was
 * altered, or that is lost, is met by no search any more, and its absence would be believed until
 * the pass comes by.
 */
export async function hotRanges(
  world: World,
  local: LocalIndex,
  key: DigestKey,
): Promise<readonly RangeRef[]> {
  const { hot } = local.health;
  const now = world.options.clock.monotonic();
  if (now - hot.readAt >= AGAIN_MS) {
    hot.readAt = now;
    // What was read before is good enough, and tending must not end for a log that cannot be read.
    hot.ranges = await rangesOf(world, local, key).catch(() => hot.ranges);
  }
  const { ranges, next } = hot;
  const count = Math.min(PER_TURN, ranges.length);
  hot.next = next + count;
  return Array.from({ length: count }, (_, at) => ranges[(next + at) % ranges.length]).filter(
    (range) => range !== undefined,
  );
}

async function rangesOf(world: World, local: LocalIndex, key: DigestKey): Promise<RangeRef[]> {
  const { ids } = rank(await hitsOf(world, local, ANSWERS));
  const leaves = ids.slice(0, MOST).map((id) => leafOf(rangeKey(id, key)));
  return [...new Map(leaves.map((leaf) => [leaf.prefix, leaf])).values()];
}
