import type { GoldenScore, OutcomeWindow } from "../../model/outcomes.ts";
import type { ReceivedReport } from "./windows.ts";

/** How one region answers the golden questions of one workflow, in each of its releases. */
export interface RegionGolden {
  readonly region: string;
  readonly workflow: string;
  readonly scores: readonly GoldenScore[];
}

/** What the newest reports say of releases. */
export interface SeenOfReleases {
  readonly windows: readonly OutcomeWindow[];
  readonly golden: readonly RegionGolden[];
}

const NOTHING_RECENT: OutcomeWindow["recent"] = { requests: 0, errors: 0, latency: {} };

/**
 * Counts only grow and answers stay as they were given, so that an old report's are as good as new
 * ones; only what it calls recent is not. `now` is the reader's monotonic clock.
 */
export function outcomesOf(
  newest: Iterable<ReceivedReport>,
  options: { readonly now: number; readonly horizonMs: number },
): SeenOfReleases {
  const reports = [...newest];
  return {
    windows: reports.flatMap(({ report, receivedAt }) =>
      (report.gateway?.outcomes ?? []).map((window) =>
        options.now - receivedAt <= options.horizonMs
          ? window
          : { ...window, recent: NOTHING_RECENT },
      ),
    ),
    golden: reports.flatMap(({ report }) =>
      (report.golden ?? []).map((one) => ({ region: report.region, ...one })),
    ),
  };
}
