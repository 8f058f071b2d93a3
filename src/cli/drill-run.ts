import { createSystemClock } from "../adapters/clock-system/clock.ts";
import { createHttpProbe } from "../adapters/probe-http/probe.ts";
import { type Estate, keysOf } from "../app/estate.ts";
import { SupervisorClient } from "../app/supervisor-api.ts";
import type { ReportContent } from "../core/evidence/report.ts";
import { questionsOf } from "../drills/questions.ts";
import { runRegionOutage } from "../drills/region-outage.ts";
import type { Control, RegionFaults } from "../drills/world.ts";
import { connect } from "./connect.ts";
import { EXIT } from "./exit-codes.ts";
import { type EstateFlags, runningEstate } from "./options.ts";
import { progress } from "./output.ts";
import { showReport } from "./report.ts";

export interface DrillFlags extends EstateFlags {
  readonly region?: string;
  readonly report?: string;
  readonly json: boolean;
}

export async function drill(flags: DrillFlags, signal: AbortSignal): Promise<void> {
  const estate = runningEstate(flags);
  const faults = SupervisorClient.at(estate.data);
  const region = flags.region ?? null;
  const content = await drillRegionOutage({
    estate,
    control: connect(estate),
    faults,
    signal,
    region,
  });
  showReport(content, { folder: flags.report ?? estate.data.report, json: flags.json });
  if (content.verdict !== "pass") process.exitCode = EXIT.failed;
}

/** The drill on an estate that is up; `demo` runs the same one on the estate that it starts. */
export async function drillRegionOutage(options: {
  readonly estate: Estate;
  readonly control: Control;
  readonly faults: RegionFaults;
  readonly signal: AbortSignal;
  readonly region: string | null;
}): Promise<ReportContent> {
  const { estate, control, faults, signal, region } = options;
  const keys = keysOf(estate);
  const probe = createHttpProbe();
  try {
    return await runRegionOutage(
      {
        spec: estate.spec,
        control,
        faults,
        probe,
        clock: createSystemClock(),
        token: keys.token,
        keys: new Map(Object.entries(keys.canaryKeys)),
        questions: questionsOf(estate.spec, estate.golden),
        tell: progress,
        signal,
      },
      { region },
    );
  } finally {
    await probe.close();
  }
}
