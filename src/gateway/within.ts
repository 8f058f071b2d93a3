import type { Clock } from "../ports/clock.ts";

/** The promise's value, unless it takes longer than `ms`: then throws an Error that says so. */
export async function within<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = clock.sleep(ms, over.signal).then((): never | undefined => {
    if (over.signal.aborted) return undefined;
    throw new Error(`not done within ${ms} ms`);
  });
  try {
    // `late` resolves only after `over` has aborted, and then nobody looks at it any more.
    return (await Promise.race([promise, late])) as T;
  } finally {
    // With a reason: without one, `abort` makes an exception with a stack, on every request.
    over.abort("over");
  }
}
