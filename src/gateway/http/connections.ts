import { type Asked, Connection, type Listener, type Origin, type Owner } from "./connection.ts";

/** Idle connections are looked through so often, in ms. */
const SWEEP_MS = 1_000;

/**
 * The connections to one server: as many as there are requests at once, kept for a while behind
 * them, the last used first. That a server gets no more than it can bear is not decided here.
 */
export class Connections {
  readonly #origin: Origin;
  readonly #all = new Set<Connection>();
  /** The last used last. */
  #idle: Connection[] = [];
  #sweep: NodeJS.Timeout | null = null;
  #session: Buffer | null = null;
  #isClosed = false;
  readonly #owner: Owner = {
    free: (connection) => this.#keep(connection),
    gone: (connection) => this.#forget(connection),
  };

  constructor(origin: Origin) {
    this.#origin = origin;
  }

  /** Sends a request, once there is a connection. What goes wrong is told to the listener. */
  send(asked: Asked, listener: Listener): void {
    const idle = this.#takeIdle();
    if (this.#isClosed) listener.onError(new Error("the gateway is closing"));
    else if (idle === null) this.#connect(asked, listener);
    else dispatch(idle, asked, listener);
  }

  /** Breaks off whatever is under way. */
  destroy(): void {
    this.#isClosed = true;
    if (this.#sweep !== null) clearTimeout(this.#sweep);
    for (const connection of [...this.#all]) connection.destroy();
  }

  #takeIdle(): Connection | null {
    const now = performance.now();
    for (let one = this.#idle.pop(); one !== undefined; one = this.#idle.pop()) {
      if (one.idleUntil > now) return one;
      one.destroy();
    }
    return null;
  }

  #connect(asked: Asked, listener: Listener): void {
    const connection = new Connection(this.#origin, this.#owner, listener, this.#session);
    this.#all.add(connection);
    connection.onReady(() => dispatch(connection, asked, listener));
    if (this.#origin.secure)
      connection.onSession((session) => {
        this.#session = session;
      });
  }

  #keep(connection: Connection): void {
    this.#idle.push(connection);
    this.#sweep ??= setTimeout(() => this.#sweepIdle(), SWEEP_MS).unref();
  }

  #forget(connection: Connection): void {
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
  }

  #sweepIdle(): void {
    this.#sweep = null;
    const now = performance.now();
    for (const one of this.#idle.filter(({ idleUntil }) => idleUntil <= now)) one.destroy();
    if (this.#idle.length > 0) this.#sweep = setTimeout(() => this.#sweepIdle(), SWEEP_MS).unref();
  }
}

/** A request that cannot be written is told as one that failed; its connection is not to blame. */
function dispatch(connection: Connection, asked: Asked, listener: Listener): void {
  try {
    connection.send(asked, listener);
  } catch (error) {
    connection.abort(error instanceof Error ? error : new Error(String(error)));
  }
}
