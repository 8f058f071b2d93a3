import { Pool } from "undici";

/** Where a request goes. */
export interface Place {
  readonly origin: string;
  /** With the query. */
  readonly path: string;
}

/** More places than any estate has: what a changing snapshot left behind is forgotten. */
const MOST_PLACES = 1_000;

/** Kept-alive connections, one pool per origin: a TLS handshake per request would cost more than it. */
export class Pools {
  readonly #connectMs: number;
  readonly #pools = new Map<string, Pool>();
  readonly #places = new Map<string, Place | null>();

  constructor(options: { readonly connectMs: number }) {
    this.#connectMs = options.connectMs;
  }

  /**
   * An API's path below a base URL, which may have a path of its own; null when that is no URL.
   * Remembered: to read the URL again for each request would cost more than to route it.
   */
  place(base: string, path: string): Place | null {
    const text = base.endsWith("/") ? base.replace(/\/+$/, "") + path : base + path;
    const known = this.#places.get(text);
    if (known !== undefined) return known;
    const url = URL.parse(text);
    const place = url === null ? null : { origin: url.origin, path: url.pathname + url.search };
    if (this.#places.size >= MOST_PLACES) this.#places.clear();
    this.#places.set(text, place);
    return place;
  }

  of({ origin }: Place): Pool {
    const known = this.#pools.get(origin);
    if (known !== undefined) return known;
    const pool = new Pool(origin, {
      connect: { timeout: this.#connectMs },
      // Both are bounded by whoever sends: what is long differs by target, and undici's timers do
      // not see that a drip of single bytes is a silence.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.#pools.set(origin, pool);
    return pool;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
  }
}
