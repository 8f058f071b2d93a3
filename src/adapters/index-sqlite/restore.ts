import { type Place, unavailable } from "../../ledger/connection.ts";
import type { Position } from "../../model/position.ts";
import type { IndexRestore } from "../../ports/index.ts";
import { type PackedPage, packPage } from "./restore-page.ts";
import type { RestoreGoal } from "./restore-work.ts";
import { Thread } from "./thread.ts";

/** What the restoring thread is asked, in this order; `abandon` at any time. */
export type RestoreQuestion =
  | { readonly do: "start"; readonly goal: RestoreGoal }
  | { readonly do: "load"; readonly page: PackedPage }
  | { readonly do: "finish" }
  | { readonly do: "abandon" };

const ENTRY = new URL("./restore-worker.ts", import.meta.url);

/** Restores of one index file, one at a time, on a thread that lives as long as each. */
export interface Restores {
  restore(from: IndexRestore): Promise<Position>;
  close(): Promise<void>;
}

/** `judge` throws when the file cannot be written, before a thread is started for it. */
export function restoresOf(place: Place, judge: () => unknown): Restores {
  let thread: Thread<RestoreQuestion, null> | null = null;

  const restore = async (from: IndexRestore): Promise<Position> => {
    judge();
    // Two at once would load into the same tables.
    if (thread !== null) throw unavailable(`index file ${place.path} is being restored`, WAIT);
    thread = new Thread(ENTRY, place);
    try {
      await run(thread, from);
    } finally {
      await thread.close();
      thread = null;
    }
    return { ...from.position };
  };

  const close = async (): Promise<void> => {
    await thread?.close();
  };
  return { restore, close };
}

const WAIT = "Wait until that is done.";

/** The next page is fetched while one is loaded: source and index each have a core. */
async function run(
  thread: Thread<RestoreQuestion, null>,
  { records, ...from }: IndexRestore,
): Promise<void> {
  const goal = goalOf(from);
  let loading: Promise<unknown> = thread.ask({ do: "start", goal });
  try {
    for await (const page of records) {
      await loading;
      const packed = packPage(page);
      loading = thread.ask({ do: "load", page: packed }, [packed.vectors]);
      // Whoever awaits it hears of it; a source that is slow may come to that much later.
      loading.catch(() => undefined);
    }
    await loading;
    await thread.ask({ do: "finish" });
  } catch (error) {
    await loading.catch(() => undefined);
    // Why the restore failed is what its caller must hear. What cannot be taken away now (the disk
    // is full, the index was closed), the next to open the file forgets.
    await thread.ask({ do: "abandon" }).catch(() => undefined);
    throw error;
  }
}

/** Nothing else: a caller may well give a whole snapshot, whose functions cannot be sent. */
function goalOf({ position, epoch, watermarks, hot }: RestoreGoal): RestoreGoal {
  return { position, epoch, watermarks, ...(hot === undefined ? {} : { hot }) };
}
