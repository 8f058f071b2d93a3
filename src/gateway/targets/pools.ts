import { Connections } from "../http/connections.ts";

/** Where a request goes. */
export interface Place {
  readonly origin: string;
  /** As the `Host` header says it. */
  readonly host: string;
  /** With the query. */
  readonly path: string;
}

/** More places than any estate has: what a changing snapshot left behind is forgotten. */
const MOST_PLACES = 1_000;

/** Kept connections, one pool per origin: a TLS handshake per request would cost more than it. */
export class Pools {
  readonly #connectMs: number;
  readonly #pools = new Map<string, Connections>();
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
    const place = placeOf(URL.parse(text));
    if (this.#places.size >= MOST_PLACES) this.#places.clear();
    this.#places.set(text, place);
    return place;
  }

  of(place: Place): Connections {
    const known = this.#pools.get(place.origin);
    if (known !== undefined) return known;
    const pool = this.apart(place);
    this.#pools.set(place.origin, pool);
    return pool;
  }

  /** Connections that are nobody else's; whoever asks for them ends them. */
  apart({ origin }: Place): Connections {
    const { protocol, hostname, port } = new URL(origin);
    const secure = protocol === "https:";
    return new Connections({
      secure,
      host: hostname.replace(/^\[(.*)\]$/, "$1"),
      port: port === "" ? (secure ? 443 : 80) : Number(port),
      connectMs: this.#connectMs,
    });
  }

  close(): void {
    for (const pool of this.#pools.values()) pool.destroy();
  }
}

function placeOf(url: URL | null): Place | null {
  if (url === null || !/^https?:$/.test(url.protocol)) return null;
  return { origin: url.origin, host: url.host, path: url.pathname + url.search };
}
