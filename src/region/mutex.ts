/** Runs one piece of work after the other, in the order in which they were handed in. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();

  /** Gives the work's own result or error. A failed one does not hold up those behind it. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Resolves when it is ours; until the function that it gives is called, nobody else's. */
  enter(): Promise<() => void> {
    return new Promise((entered) => {
      void this.run(() => new Promise<void>((leave) => entered(leave)));
    });
  }
}
