import { createSystemClock } from "../adapters/clock-system/clock.ts";
import { createHttpProbe } from "../adapters/probe-http/probe.ts";
import { makeWritable } from "../app/data-dir.ts";
import { type Estate, keysOf } from "../app/estate.ts";
import { SupervisorClient } from "../app/supervisor-api.ts";
import type { ReportContent } from "../core/evidence/report.ts";
import { questionsOf } from "../drills/questions.ts";
import { runRegionOutage } from "../drills/region-outage.ts";
import type { Control, RegionFaults } from "../drills/world.ts";
import { connect } from "./connect.ts";
import { EXIT } from "./exit-codes.ts";
import { type EstateFlags, runningEstate } from "./options.ts";
import { timedProgress } from "./output.ts";
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
  const folder = flags.report ?? estate.data.report;
  // Now, and not after a minute of drill whose report would be lost.
  makeWritable(folder);
  const content = await drillRegionOutage({
    estate,
    control: connect(estate),
    faults,
    signal,
    region,
    tell: timedProgress(),
  });
  showReport(content, { folder, json: flags.json });
  if (content.verdict !== "pass") process.exitCode = EXIT.failed;
}

/** The drill on an estate that is up; `demo` runs the same one on the estate that it starts. */
export async function drillRegionOutage(options: {
  readonly estate: Estate;
  readonly control: Control;
  readonly faults: RegionFaults;
  readonly signal: AbortSignal;
  readonly region: string | null;
  readonly tell: (line: string) => void;
}): Promise<ReportContent> {
  const { estate, control, faults, signal, region, tell } = options;
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
        tell,
        signal,
      },
      { region },
    );
  } finally {
    await probe.close();
  }
}
