import { Pool } from "undici";

/** Kept-alive connections, one pool per origin: a TLS handshake per request would cost more than it. */
export class Pools {
  readonly #connectMs: number;
  readonly #pools = new Map<string, Pool>();

  constructor(options: { readonly connectMs: number }) {
    this.#connectMs = options.connectMs;
  }

  of(url: URL): Pool {
    const known = this.#pools.get(url.origin);
    if (known !== undefined) return known;
    const pool = new Pool(url.origin, {
      connect: { timeout: this.#connectMs },
      // Both are bounded by whoever sends: what is long differs by target, and undici's timers do
      // not see that a drip of single bytes is a silence.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.#pools.set(url.origin, pool);
    return pool;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
  }
}
