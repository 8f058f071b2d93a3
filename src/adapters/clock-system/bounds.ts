/** setTimeout counts in 32 bits: a longer wait would overflow and fire at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** One wait that may be called off, in the queue of all of its length. */
interface Wait {
  readonly due: number;
  /** Null once it was called off or has run. */
  run: (() => void) | null;
  before: Wait | null;
  after: Wait | null;
}

/**
 * Timers for bounds that nearly always are called off: a request has several, and to make one of
 * node's timers for each costs as much as to read its body. Waits of one length fall due in the
 * order in which they began, so that one of node's timers serves all of them. Lengths are rounded
 * up by a thirty-second part at most, so that those that follow what was measured meet in few queues.
 */
export class Bounds {
  readonly #monotonic: () => number;
  readonly #queues = new Map<number, Queue>();

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic;
  }

  /** Runs `run` after `ms`, never early, unless the returned function is called before. */
  after(ms: number, run: () => void): () => void {
    const length = Math.min(rounded(ms), LONGEST_TIMER_MS);
    let queue = this.#queues.get(length);
    if (queue === undefined) {
      const emptied = (): void => void this.#queues.delete(length);
      queue = new Queue(length, this.#monotonic, emptied);
      this.#queues.set(length, queue);
    }
    return queue.add(run);
  }
}

class Queue {
  readonly #ms: number;
  readonly #monotonic: () => number;
  readonly #emptied: () => void;
  #first: Wait | null = null;
  #last: Wait | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(ms: number, monotonic: () => number, emptied: () => void) {
    this.#ms = ms;
    this.#monotonic = monotonic;
    this.#emptied = emptied;
  }

  add(run: () => void): () => void {
    const wait: Wait = { due: this.#monotonic() + this.#ms, run, before: this.#last, after: null };
    if (this.#last === null) this.#first = wait;
    else this.#last.after = wait;
    this.#last = wait;
    // A timer of an empty queue goes on without holding the process: most queues fill again soon.
    if (this.#timer === null) this.#timer = setTimeout(() => this.#look(), this.#ms);
    else if (wait.before === null) this.#timer.ref();
    return () => this.#callOff(wait);
  }

  #callOff(wait: Wait): void {
    if (wait.run === null) return;
    wait.run = null;
    this.#remove(wait);
    if (this.#first === null) this.#timer?.unref();
  }

  #remove(wait: Wait): void {
    if (wait.before === null) this.#first = wait.after;
    else wait.before.after = wait.after;
    if (wait.after === null) this.#last = wait.before;
    else wait.after.before = wait.before;
    // One that has grown old and is dead would keep all that came after it from the collector.
    wait.before = null;
    wait.after = null;
  }

  /** Runs what is due, and waits for the next. */
  #look(): void {
    this.#timer = null;
    const now = this.#monotonic();
    // What one of them begins falls due later than now, so this ends.
    for (let wait = this.#first; wait !== null && wait.due <= now; wait = this.#first) {
      const { run } = wait;
      wait.run = null;
      this.#remove(wait);
      run?.();
    }
    if (this.#first === null) this.#emptied();
    // Unless what ran has waits of this length itself: then the timer is theirs.
    else if (this.#timer === null)
      this.#timer = setTimeout(() => this.#look(), Math.max(1, Math.ceil(this.#first.due - now)));
  }
}

/** Up, to one of 32 lengths between two powers of two. */
function rounded(ms: number): number {
  const least = Math.max(1, ms);
  const step = 2 ** Math.max(0, Math.floor(Math.log2(least)) - 5);
  return Math.ceil(least / step) * step;
}
