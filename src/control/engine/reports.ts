import type { ReceivedReport } from "../../core/signals/windows.ts";
import type { RegionReport } from "../../model/signal.ts";

export interface ReportLog {
  /** Takes in what stands in the store now. */
  take(reports: readonly RegionReport[], now: number): void;
  /** Reports that arrived within the horizon. A report left behind by a dead observer is none. */
  received(now: number): readonly ReceivedReport[];
  /** The newest report of each region, whatever its age; for facts, never for verdicts. */
  newest(): ReadonlyMap<string, ReceivedReport>;
}

/**
 * When each agent's reports were first seen here. A report says when it was written only on its
 * writer's clock; seeing it replace another is the only proof that it is new. So the first report
 * of an observer that this controller ever sees is no witness: it may be a week old. The next one,
 * a turn later, is.
 */
export function createReportLog(horizonMs: number): ReportLog {
  const last = new Map<string, ReceivedReport>();
  let arrived: ReceivedReport[] = [];

  function takeOne(report: RegionReport, now: number): void {
    const before = last.get(report.observer)?.report;
    if (before?.seq === report.seq && before.monotonicNow === report.monotonicNow) return;
    const received = { report, receivedAt: now };
    last.set(report.observer, received);
    if (before === undefined) return;
    // A count that went back is a restarted observer. Its signals count from the start again, and
    // would be taken for copies of those that the old process numbered alike.
    if (report.seq <= before.seq) {
      arrived = arrived.filter((one) => one.report.observer !== report.observer);
    }
    arrived.push(received);
  }

  return {
    take(reports, now) {
      for (const report of reports) takeOne(report, now);
    },
    received(now) {
      arrived = arrived.filter(({ receivedAt }) => now - receivedAt <= horizonMs);
      return arrived;
    },
    newest() {
      return new Map([...last.values()].map((received) => [received.report.region, received]));
    },
  };
}
