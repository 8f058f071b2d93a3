import { dirname, join } from "node:path";
import { createSystemClock } from "../adapters/clock-system/clock.ts";
import { createHttpProbe } from "../adapters/probe-http/probe.ts";
import { makeWritable } from "../app/data-dir.ts";
import { type Estate, keysOf } from "../app/estate.ts";
import { findRelease } from "../app/find-release.ts";
import { SupervisorClient } from "../app/supervisor-api.ts";
import type { ReportContent } from "../core/evidence/report.ts";
import { runBadRelease } from "../drills/bad-release.ts";
import { runCapacityLoss } from "../drills/capacity-loss.ts";
import { runIndexCorruption } from "../drills/index-corruption.ts";
import { questionsOf } from "../drills/questions.ts";
import { runRegionOutage } from "../drills/region-outage.ts";
import type { Control, DrillWorld, IndexFaults, RegionFaults } from "../drills/world.ts";
import type { OfferedRelease } from "../model/snapshot.ts";
import { connect } from "./connect.ts";
import { EXIT } from "./exit-codes.ts";
import { type EstateFlags, runningEstate } from "./options.ts";
import { timedProgress } from "./output.ts";
import { showReport } from "./report.ts";

export interface DrillFlags extends EstateFlags {
  readonly region?: string;
  readonly release?: string;
  readonly report?: string;
  readonly json: boolean;
}

export async function drill(name: string, flags: DrillFlags, signal: AbortSignal): Promise<void> {
  const estate = runningEstate(flags);
  const folder = flags.report ?? estate.data.report;
  // Now, and not after a minute of drill whose report would be lost.
  makeWritable(folder);
  const on = { estate, control: connect(estate), signal, tell: timedProgress() };
  const content = await contentOf(name, flags, on);
  showReport(content, { folder, json: flags.json });
  if (content.verdict !== "pass") process.exitCode = EXIT.failed;
}

async function contentOf(
  name: string,
  flags: DrillFlags,
  on: DrillOptions,
): Promise<ReportContent> {
  const { estate } = on;
  if (name === "bad-release") {
    return drillBadRelease({ ...on, release: await badRelease(estate, flags.release) });
  }
  const faults = SupervisorClient.at(estate.data);
  const region = flags.region ?? null;
  if (name === "index-corruption") return drillIndexCorruption({ ...on, faults, region });
  return name === "capacity-loss"
    ? drillCapacityLoss({ ...on, faults, region })
    : drillRegionOutage({ ...on, faults, region });
}

/** What every drill is given. */
interface DrillOptions {
  readonly estate: Estate;
  readonly control: Control;
  readonly signal: AbortSignal;
  readonly tell: (line: string) => void;
}

/** The drill on an estate that is up; `demo` runs the same one on the estate that it starts. */
export function drillRegionOutage(
  options: DrillOptions & { readonly faults: RegionFaults; readonly region: string | null },
): Promise<ReportContent> {
  const { faults, region } = options;
  return inWorld(options, faults, (world) => runRegionOutage(world, { region }));
}

/** The same for a region whose models alone are killed. */
function drillCapacityLoss(
  options: DrillOptions & { readonly faults: RegionFaults; readonly region: string | null },
): Promise<ReportContent> {
  const { faults, region } = options;
  return inWorld(options, faults, (world) => runCapacityLoss(world, { region }));
}

/** The same for an index that is falsified where it is served from. */
export function drillIndexCorruption(
  options: DrillOptions & { readonly faults: IndexFaults; readonly region: string | null },
): Promise<ReportContent> {
  const { faults: indexFaults, region } = options;
  return inWorld(options, NO_FAULTS, (world) =>
    runIndexCorruption({ ...world, indexFaults }, { region }),
  );
}

/** The same for a release that is bad on purpose: nothing is killed. */
export function drillBadRelease(
  options: DrillOptions & { readonly release: OfferedRelease },
): Promise<ReportContent> {
  const { release } = options;
  return inWorld(options, NO_FAULTS, (world) => runBadRelease(world, { release }));
}

const NO_FAULTS: RegionFaults = {
  killRegion: () => Promise.reject(new Error("this drill kills nothing")),
  killModels: () => Promise.reject(new Error("this drill kills nothing")),
  restore: async () => undefined,
};

async function badRelease(estate: Estate, named: string | undefined): Promise<OfferedRelease> {
  const text = named ?? join(dirname(estate.specPath), "release-bad");
  const { digest, body, signatures = [], parts = {} } = await findRelease(text, estate);
  return { digest, body, signatures, parts };
}

async function inWorld(
  { estate, control, signal, tell }: DrillOptions,
  faults: RegionFaults,
  run: (world: DrillWorld) => Promise<ReportContent>,
): Promise<ReportContent> {
  const keys = keysOf(estate);
  const probe = createHttpProbe();
  try {
    return await run({
      spec: estate.spec,
      control,
      faults,
      probe,
      clock: createSystemClock(),
      token: keys.token,
      keys: new Map(Object.entries(keys.canaryKeys)),
      questions: questionsOf(estate.spec, estate.golden),
      tell,
      signal,
    });
  } finally {
    await probe.close();
  }
}
