import type { Clock } from "../ports/clock.ts";

/** The promise's value, unless it takes longer than `ms`: then throws an Error that says so. */
export function within<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new Error(`not done within ${ms} ms`));
    const callOff = clock.after(ms, late);
    promise.then(
      (value) => {
        callOff();
        resolve(value);
      },
      (error: unknown) => {
        callOff();
        reject(error);
      },
    );
  });
}

/**
 * The same for promises that several wait for at once, such as one write of many records: a promise
 * that comes again is given no second bound. The first one's began a moment before.
 */
export function sharedWithin<T>(clock: Clock, ms: number): (promise: Promise<T>) => Promise<T> {
  let newest: Promise<T> | null = null;
  let bounded: Promise<T> | null = null;
  return (promise) => {
    if (bounded === null || promise !== newest) {
      newest = promise;
      bounded = within(clock, ms, promise);
    }
    return bounded;
  };
}
