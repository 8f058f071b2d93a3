import type { LocalIndex } from "./local-index.ts";
import type { World } from "./world.ts";

/** After the first new entry, for those that come with it: a page each would cost more than it gains. */
const GATHER_MS = 10;

/** Resolves when this index has an entry above `after`, after `waitMs`, or when the agent stops. */
export async function waitForEntry(
  { options: { clock }, stop }: World,
  { store, written }: LocalIndex,
  after: number,
  waitMs: number,
): Promise<void> {
  if (waitMs === 0) return;
  const woken = new AbortController();
  const wake = (): void => woken.abort();
  // Before the look, so that nothing is written unheard between the two.
  const unheard = written.onRing(wake);
  stop.signal.addEventListener("abort", wake, { once: true });
  try {
    if ((await store.position()).seq > after || stop.signal.aborted) return;
    await clock.sleep(waitMs, woken.signal);
    if (woken.signal.aborted) await clock.sleep(GATHER_MS, stop.signal);
  } finally {
    unheard();
    stop.signal.removeEventListener("abort", wake);
  }
}
