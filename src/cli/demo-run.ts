import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeWritable } from "../app/data-dir.ts";
import { openEstate } from "../app/estate.ts";
import { freePortCopy } from "../app/free-ports.ts";
import { startLocalEstate } from "../app/local-estate.ts";
import { drillRegionOutage } from "./drill-run.ts";
import { EXIT } from "./exit-codes.ts";
import { SAMPLE_SPEC } from "./options.ts";
import { progress, timedProgress } from "./output.ts";
import { showReport } from "./report.ts";

export interface DemoFlags {
  readonly report: string;
  readonly keep: boolean;
  readonly json: boolean;
}

/**
 * A fresh folder and free ports each time: a demo neither meets nor leaves anything. That the report
 * can be written is tried first: after the drill it would be too late.
 */
export async function demo(flags: DemoFlags, signal: AbortSignal): Promise<void> {
  makeWritable(flags.report);
  const data = mkdtempSync(join(tmpdir(), "tideover-demo-"));
  const tell = timedProgress();
  let keep = flags.keep;
  try {
    const estate = await freePortCopy(openEstate({ spec: SAMPLE_SPEC, data }));
    progress(
      `tideover: starting estate ${estate.spec.estate}: ${Object.keys(estate.spec.regions).join(" and ")}`,
    );
    const local = await startLocalEstate(estate, { tell, signal });
    try {
      const { control, faults } = local;
      const content = await drillRegionOutage({
        ...{ estate, control, faults, signal, tell },
        region: null,
      });
      showReport(content, { folder: flags.report, json: flags.json });
      if (content.verdict !== "pass") {
        process.exitCode = EXIT.failed;
        keep = true;
      }
    } finally {
      progress("tideover: stopping every process");
      await local.stop();
    }
  } catch (error) {
    // What went wrong is in the logs: they must outlive the demo that failed.
    keep ||= !signal.aborted;
    throw error;
  } finally {
    if (keep) progress(`tideover: the estate's files and logs are in ${data}`);
    else rmSync(data, { recursive: true, force: true });
  }
}
