const FREE = 0;
const SPINS = 200;
const WAIT_MS = 1;
/** A thousand times what any holder needs. */
const MOST_WAITS = 1_000;

/**
 * Runs `work` while no other thread is within a lock of the same word. `me` is this thread's
 * number, above 0 and never given twice: when a thread ends, whoever runs it frees what it held
 * (`release`). What is guarded so is a memory of the past and no permission: rather than hang, a
 * thread that has waited a second goes on without.
 */
export function locked<T>(
  words: Int32Array<SharedArrayBuffer>,
  at: number,
  me: number,
  work: () => T,
): T {
  const held = acquire(words, at, me);
  try {
    return work();
  } finally {
    if (held) Atomics.store(words, at, FREE);
  }
}

/** Frees what a thread that ended still holds. */
export function release(words: Int32Array<SharedArrayBuffer>, at: number, ended: number): void {
  Atomics.compareExchange(words, at, ended, FREE);
}

function acquire(words: Int32Array<SharedArrayBuffer>, at: number, me: number): boolean {
  for (let waits = 0; waits < MOST_WAITS; waits++) {
    for (let spin = 0; spin < SPINS; spin++) {
      if (Atomics.compareExchange(words, at, FREE, me) === FREE) return true;
    }
    const holder = Atomics.load(words, at);
    // The holder was put aside by the operating system: to spin on would keep it there.
    if (holder !== FREE) Atomics.wait(words, at, holder, WAIT_MS);
  }
  return false;
}
