import { artifactParts } from "./artifacts/keep-artifacts.ts";
import { captureParts } from "./capture.ts";
import { createFeeder } from "./feed-gateway.ts";
import { followStore } from "./follow-store.ts";
import { goldenParts } from "./golden-rounds.ts";
import { tendParts } from "./indexes/tend.ts";
import { indexParts } from "./keep-indexes.ts";
import { lookParts } from "./look.ts";
import { readinessParts } from "./readiness/run.ts";
import { createReporter } from "./report.ts";
import { snapshotParts } from "./snapshots/keep.ts";
import { type Part, runEvery } from "./ticker.ts";
import type { World } from "./world.ts";

/**
 * All that an agent does unasked, each part on its own beat. Resolves when the world stops and
 * every part has ended its last turn.
 */
export async function runLoop(world: World): Promise<void> {
  const { clock, logger } = world.options;
  const options = { clock, logger, signal: world.stop.signal };
  await Promise.all(partsOf(world).map((part) => runEvery(part, options)));
}

function partsOf(world: World): Part[] {
  const everyMs = world.options.spec.detection.interval;
  return [
    ...lookParts(world),
    { name: "follow the store", everyMs, work: () => followStore(world) },
    ...indexParts(world),
    ...captureParts(world),
    ...tendParts(world),
    { name: "feed the gateway", everyMs, work: createFeeder(world) },
    { name: "report", everyMs, work: createReporter(world) },
    ...readinessParts(world),
    ...goldenParts(world),
    ...artifactParts(world),
    ...snapshotParts(world),
  ];
}
