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
