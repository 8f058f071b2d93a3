import { Pool } from "undici";

/** Kept-alive connections, one pool per origin: a TLS handshake per request would cost more than it. */
export class Pools {
  readonly #connectMs: number;
  readonly #idleMs: number;
  readonly #pools = new Map<string, Pool>();

  constructor(options: { readonly connectMs: number; readonly idleMs: number }) {
    this.#connectMs = options.connectMs;
    this.#idleMs = options.idleMs;
  }

  of(url: URL): Pool {
    const known = this.#pools.get(url.origin);
    if (known !== undefined) return known;
    const pool = new Pool(url.origin, {
      connect: { timeout: this.#connectMs },
      // The time to the first byte is bounded by whoever sends: a model may think for minutes.
      headersTimeout: 0,
      bodyTimeout: this.#idleMs,
    });
    this.#pools.set(url.origin, pool);
    return pool;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()));
  }
}
