import type { IndexState } from "../../model/signal.ts";
import type { ReceivedReport } from "./windows.ts";

/** One region's copy of one index, as its own agent reported it lately. */
export interface CopyWindow {
  readonly region: string;
  readonly observer: string;
  readonly index: string;
  /** Newest first; `agoMs` since the reader received it. */
  readonly seen: readonly { readonly agoMs: number; readonly state: IndexState }[];
}

/** What an observer's wall clock shows now, as far as its newest report tells. */
export interface WallClock {
  readonly observer: string;
  readonly observerRegion: string | null;
  readonly wallNow: number;
}

/** Each copy that anybody reported, in a stable order. `now` is the reader's monotonic clock. */
export function copiesOf(reports: readonly ReceivedReport[], now: number): CopyWindow[] {
  const sights = reports
    .toSorted((a, b) => b.receivedAt - a.receivedAt)
    .flatMap(({ report: { region, observer, indexes }, receivedAt }) =>
      indexes.map((state) => ({ region, observer, agoMs: now - receivedAt, state })),
    );
  const copies = Map.groupBy(sights, ({ region, state }) => JSON.stringify([state.index, region]));
  return [...copies]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, seen]) => {
      const [newest] = seen;
      if (newest === undefined) return [];
      const { region, observer, state } = newest;
      return [{ region, observer, index: state.index, seen }];
    });
}

/** The clocks of all who reported lately, and the reader's own. */
export function wallClocksOf(
  reports: readonly ReceivedReport[],
  reader: { readonly now: number; readonly wallNow: number },
): WallClock[] {
  const newest = new Map(
    reports
      .toSorted((a, b) => a.receivedAt - b.receivedAt)
      .map((received) => [received.report.observer, received] as const),
  );
  const theirs = [...newest.values()].flatMap(({ report, receivedAt }) => {
    const { observer, region, wallNow } = report;
    if (wallNow === undefined) return [];
    return [{ observer, observerRegion: region, wallNow: wallNow + (reader.now - receivedAt) }];
  });
  return [{ observer: "controller", observerRegion: null, wallNow: reader.wallNow }, ...theirs];
}
