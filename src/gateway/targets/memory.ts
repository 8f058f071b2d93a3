import type { Clock } from "../../ports/clock.ts";

export interface MemoryOptions {
  /** Failures in a row that eject. */
  readonly failures: number;
  /** First ejection, in ms; each further one without a success in between is twice as long. */
  readonly firstMs: number;
  readonly longestMs: number;
}

export interface Outcomes {
  readonly name: string;
  readonly succeeded: number;
  readonly failed: number;
  readonly failedInARow: number;
  /** How much longer it is left alone; 0 when it is not ejected. */
  readonly ejectedForMs: number;
  readonly lastFailure: string | null;
}

interface Entry {
  succeeded: number;
  failed: number;
  failedInARow: number;
  ejections: number;
  ejectedUntil: number;
  lastFailure: string | null;
}

/**
 * What this process has seen of things that have no equal to turn to, this region's indexes: a
 * passive health, learnt from real requests. It is a reflex and no verdict: nobody else is told, and
 * a restart forgets it. Targets, which have peers, are remembered in `health.ts`.
 */
export class Memory {
  readonly #clock: Clock;
  readonly #options: MemoryOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock, options: MemoryOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  ejected(name: string): boolean {
    return this.ejectedForMs(name) > 0;
  }

  ejectedForMs(name: string): number {
    const until = this.#entries.get(name)?.ejectedUntil ?? 0;
    return Math.max(0, until - this.#clock.monotonic());
  }

  succeeded(name: string): void {
    const entry = this.#entry(name);
    entry.succeeded += 1;
    entry.failedInARow = 0;
    entry.ejections = 0;
    entry.ejectedUntil = 0;
  }

  failed(name: string, because: string): void {
    const entry = this.#entry(name);
    entry.failed += 1;
    entry.failedInARow += 1;
    entry.lastFailure = because;
    // Requests that were under way together fail together: only the first ejects, or one short
    // break under load would double the period a dozen times.
    if (entry.failedInARow < this.#options.failures || this.ejected(name)) return;
    const period = this.#options.firstMs * 2 ** entry.ejections;
    entry.ejectedUntil = this.#clock.monotonic() + Math.min(period, this.#options.longestMs);
    entry.ejections += 1;
  }

  outcomes(): Outcomes[] {
    return [...this.#entries].map(([name, entry]) => ({
      name,
      succeeded: entry.succeeded,
      failed: entry.failed,
      failedInARow: entry.failedInARow,
      ejectedForMs: this.ejectedForMs(name),
      lastFailure: entry.lastFailure,
    }));
  }

  #entry(name: string): Entry {
    const known = this.#entries.get(name);
    if (known !== undefined) return known;
    const fresh: Entry = {
      succeeded: 0,
      failed: 0,
      failedInARow: 0,
      ejections: 0,
      ejectedUntil: 0,
      lastFailure: null,
    };
    this.#entries.set(name, fresh);
    return fresh;
  }
}
