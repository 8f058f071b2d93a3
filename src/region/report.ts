import { KEYS } from "../model/keys.ts";
import { type RegionReport, regionReportSchema } from "../model/signal.ts";
import type { World } from "./world.ts";

const LONGEST_KEPT_MS = 30_000;

/**
 * Writes what this agent sees. One put without a compare: nobody else writes this key, and the
 * newest report replaces the one before.
 */
export function createReporter(world: World): () => Promise<void> {
  let continued = false;
  return async () => {
    const { store } = world.options;
    const key = KEYS.report(world.observer);
    if (!continued) {
      const before = regionReportSchema.safeParse((await store.get(key))?.value);
      if (before.success) {
        world.ring.continueAfter(before.data.seq);
        restoreGolden(world, before.data);
      }
      continued = true;
    }
    await store.commit({ compare: [], operations: [{ put: key, value: await reportOf(world) }] });
  };
}

function restoreGolden(world: World, { golden = [] }: RegionReport): void {
  const now = world.options.clock.monotonic();
  for (const { workflow, scores } of golden) world.goldenBook.restore(workflow, scores, now);
}

async function reportOf(world: World): Promise<RegionReport> {
  const { region, clock, spec } = world.options;
  const states = [...world.indexes.values()].map((local) => local.state(clock.monotonic()));
  const indexes = await Promise.all(states);
  const now = clock.monotonic();
  // As far back as a reader looks (see core/signals), so that the value stays small.
  const keepMs = Math.min(spec.detection.confirm * 3 + 2_000, LONGEST_KEPT_MS);
  return {
    region,
    observer: world.observer,
    // From the signals' own count, so that it too goes on over a restart.
    seq: world.ring.next(),
    monotonicNow: now,
    wallNow: clock.now(),
    signals: world.ring.recent(now, keepMs),
    indexes,
    golden: world.goldenBook.scores(),
    gateway: world.gateway,
  };
}
