import { TideoverError } from "../../lib/errors.ts";
import { INDEX_TARGET, type Trouble } from "../../model/trouble.ts";
import type { Clock } from "../../ports/clock.ts";

/** So long a copy that answers nobody is not asked again, in ms. */
const REST_MS = 250;
/** So long a refusal is told of after the last of its kind, in ms: an agent looks twice a second. */
const TOLD_MS = 30_000;

interface Entry {
  readonly firstAt: number;
  lastAt: number;
  because: string;
  /** The copy answers nobody; else it refused to tell single records. */
  shut: boolean;
}

/**
 * What this region's copies of indexes refused to answer because they may not be believed. Told to
 * whoever looks at this gateway, so that the region's agent looks at the copy at once.
 *
 * A refusal of single records is not taken back by other questions that were answered: the record
 * is still there. Only a copy that answered nobody is well as soon as it answers.
 */
export class Damage {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A search threw. true when that means damage, which is remembered. */
  saw(index: string, error: unknown): error is TideoverError {
    if (!(error instanceof TideoverError) || !DAMAGE.has(error.code)) return false;
    const now = this.#clock.monotonic();
    const shut = error.code !== "INDEX_CORRUPT";
    const entry = this.#entries.get(index) ?? { firstAt: now, lastAt: now, because: "", shut };
    this.#entries.set(index, entry);
    entry.lastAt = now;
    entry.because = error.message;
    entry.shut = shut;
    return true;
  }

  /** A search was answered. */
  answered(index: string): void {
    if (this.#entries.get(index)?.shut === true) this.#entries.delete(index);
  }

  /** Why the index need not be asked now; null when it is to be asked. */
  resting(index: string): string | null {
    const entry = this.#entries.get(index);
    if (entry?.shut !== true) return null;
    return this.#clock.monotonic() - entry.lastAt < REST_MS ? entry.because : null;
  }

  /** For the status page of this region's gateway. */
  troubles(region: string): Trouble[] {
    const now = this.#clock.monotonic();
    return [...this.#entries]
      .filter(([, { lastAt }]) => now - lastAt <= TOLD_MS)
      .map(([index, { firstAt, lastAt, because, shut }]) => ({
        target: `${INDEX_TARGET}${index}`,
        region,
        domain: "index-corruption",
        standing: shut ? "out" : "failing",
        sinceMs: Math.round(now - firstAt),
        seenAgoMs: Math.round(now - lastAt),
        ejections: 0,
        because,
      }));
  }
}

/** What a copy says of itself, and not of the question. */
const DAMAGE: ReadonlySet<string> = new Set([
  "INDEX_CORRUPT",
  "INDEX_QUARANTINED",
  "INDEX_UNAVAILABLE",
]);

/** One list of what several threads saw of the same copies: the first and the newest refusal. */
export function mergedDamage(lists: readonly (readonly Trouble[])[]): Trouble[] {
  const merged = new Map<string, Trouble>();
  for (const trouble of lists.flat()) {
    const before = merged.get(trouble.target);
    merged.set(trouble.target, before === undefined ? trouble : together(before, trouble));
  }
  return [...merged.values()];
}

function together(one: Trouble, other: Trouble): Trouble {
  const [newer, older] = agoOf(one) <= agoOf(other) ? [one, other] : [other, one];
  return { ...newer, sinceMs: Math.max(newer.sinceMs, older.sinceMs) };
}

function agoOf({ seenAgoMs = 0 }: Trouble): number {
  return seenAgoMs;
}
