import { Stop } from "../../lib/stop.ts";
import type { Tools } from "../options.ts";
import type { StreamPart } from "./call.ts";

/** An answer that is held in memory until it is whole is no longer than this, in UTF-16 units. */
const MAX_LENGTH = 64 * 1024 * 1024;

/** What a client reads past, and what keeps proxies from taking the silence for a dead connection. */
const KEEP_ALIVE: StreamPart = { text: ": still working on it\n\n", end: null };

/** Stands in a stream for a caller who was told nothing yet: what came before it does not count. */
export const RESTART: StreamPart = { text: "", end: null };

/** The promise's value; meanwhile, parts that keep the caller's connection alive. */
export async function* waitingFor<T>(
  { clock, timeouts }: Pick<Tools, "clock" | "timeouts">,
  promise: Promise<T>,
): AsyncGenerator<StreamPart, T> {
  const over = new Stop();
  const settled = promise.then((value) => ({ value }));
  // Left in the middle, it is nobody's any more.
  settled.catch(() => undefined);
  try {
    for (;;) {
      const pause = clock.sleep(timeouts.keepAliveMs, over).then(() => null);
      const came = await Promise.race([settled, pause]);
      if (came !== null) return came.value;
      yield KEEP_ALIVE;
    }
  } finally {
    over.abort("over");
  }
}

/** The parts as one, told when all of them are here. */
export async function* atOnce(
  tools: Pick<Tools, "clock" | "timeouts">,
  parts: AsyncIterableIterator<StreamPart>,
): AsyncGenerator<StreamPart> {
  let texts: string[] = [];
  let length = 0;
  try {
    for (;;) {
      const { value: part, done } = yield* waitingFor(tools, parts.next());
      if (done === true) return;
      if (part === KEEP_ALIVE) yield part;
      else if (part === RESTART) {
        texts = [];
        length = 0;
      } else if (part.end === null) {
        texts.push(part.text);
        length += part.text.length;
        if (length > MAX_LENGTH) throw new RangeError("an answer larger than 64 MiB");
      } else {
        // Of an answer that is not whole, its caller is told nothing but that.
        const before = part.end.outcome === "complete" ? texts.join("") : "";
        return yield { ...part, text: before + part.text };
      }
    }
  } finally {
    await parts.return?.();
  }
}
