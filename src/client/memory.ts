import type { World } from "./world.ts";

/** First rest of a gateway that failed, and the longest, in ms: each failure doubles it. */
const FIRST_REST_MS = 1_000;
const MOST_REST_MS = 60_000;

/** How long a gateway may be silent before it is asked whether it lives, in ms. */
const LEAST_SILENCE_MS = 1_000;
const FIRST_SILENCE_MS = 3_000;
const MOST_SILENCE_MS = 10_000;

/** What is known of one gateway. */
interface Known {
  failures: number;
  failedAt: number;
  restsUntil: number;
  /** A real request is finding out whether it is back; the others leave it alone meanwhile. */
  onTrial: boolean;
  /** Usual time to a stream's first event and its spread, in ms, smoothed as TCP does it. */
  usual: { readonly ms: number; readonly spreadMs: number } | null;
}

/**
 * Which gateway to ask first, shared by all requests of one fetch. A gateway that failed is left
 * alone for growing periods and then tried by one real request; nobody polls it. What is left
 * alone is still asked when nobody else is left to ask: memory orders, and never refuses.
 */
export class Memory {
  readonly #world: World;
  readonly #known: ReadonlyMap<string, Known>;

  constructor(bases: readonly string[], world: World) {
    this.#world = world;
    const fresh = (): Known => ({
      failures: 0,
      failedAt: Number.NEGATIVE_INFINITY,
      restsUntil: 0,
      onTrial: false,
      usual: null,
    });
    this.#known = new Map(bases.map((base) => [base, fresh()]));
  }

  /** The one to ask next, `tried` ones last of all excluded; null when all were tried. */
  next(tried: ReadonlySet<string>): string | null {
    const left = [...this.#known].filter(([base]) => !tried.has(base));
    const fit = left.find(([, known]) => known.failures === 0 || this.#maybeBack(known));
    if (fit !== undefined) return fit[0];
    const [soonest] = left.toSorted(([, a], [, b]) => a.restsUntil - b.restsUntil);
    return soonest?.[0] ?? null;
  }

  /** A request is being sent to it. */
  begin(base: string): void {
    const known = this.#of(base);
    known.onTrial = known.failures > 0;
  }

  /** It answered, whatever it said. */
  answered(base: string): void {
    const known = this.#of(base);
    known.failures = 0;
    known.onTrial = false;
  }

  /** The request ended without telling anything of it, as when its caller went away. */
  unsettled(base: string): void {
    this.#of(base).onTrial = false;
  }

  /**
   * It failed on something that was begun at `since`. One fault fails every request under way: those
   * that began before the newest failure say the same thing again and must not prolong the rest.
   */
  failed(base: string, since: number): void {
    const known = this.#of(base);
    known.onTrial = false;
    if (known.failures > 0 && since <= known.failedAt) return;
    const now = this.#world.now();
    const most = Math.min(MOST_REST_MS, FIRST_REST_MS * 2 ** known.failures);
    known.failures += 1;
    known.failedAt = now;
    // Jitter: clients that saw one fault together must not come back together.
    known.restsUntil = now + most * (0.5 + this.#world.random() / 2);
  }

  /** Learns how long this gateway usually takes to the first event of a stream. */
  learn(base: string, ms: number): void {
    const known = this.#of(base);
    const { usual } = known;
    known.usual =
      usual === null
        ? { ms, spreadMs: ms / 2 }
        : {
            ms: usual.ms * 0.875 + ms * 0.125,
            spreadMs: usual.spreadMs * 0.75 + Math.abs(ms - usual.ms) * 0.25,
          };
  }

  /** From when on its silence is unusual, in ms. A gateway on trial has to hurry. */
  silenceMs(base: string): number {
    const { usual, failures } = this.#of(base);
    if (failures > 0) return LEAST_SILENCE_MS;
    if (usual === null) return FIRST_SILENCE_MS;
    const normal = usual.ms + 4 * usual.spreadMs;
    return Math.min(MOST_SILENCE_MS, Math.max(LEAST_SILENCE_MS, normal));
  }

  #maybeBack(known: Known): boolean {
    return !known.onTrial && this.#world.now() >= known.restsUntil;
  }

  #of(base: string): Known {
    const known = this.#known.get(base);
    if (known === undefined) throw new RangeError(`${base} is none of the gateways`);
    return known;
  }
}
