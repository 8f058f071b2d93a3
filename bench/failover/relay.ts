import { connect, createServer, type Server, type Socket } from "node:net";

/** What a relay does to what passes it. */
export type Mode =
  | "pass"
  /** Takes everything and gives nothing, as a link does that drops packets. */
  | "swallow"
  /** Every wait for the other side becomes ten times as long. */
  | "slow"
  /** Every second request, on average, is answered 500 at once. */
  | "errors";

const SLOWDOWN = 10;

const BODY = '{"error":{"message":"The server had an error.","type":"server_error"}}';
const ERROR = `HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`;

/** A TCP relay before one upstream, whose behaviour can be changed while connections are open. */
export class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #mode: Mode = "pass";
  /** Alternates instead of tossing a coin: the same run twice breaks the same share of requests. */
  #requests = 0;

  private constructor(upstreamPort: number) {
    this.#server = createServer({ noDelay: true }, (caller) => this.#relay(caller, upstreamPort));
  }

  static async start(port: number, upstreamPort: number): Promise<Relay> {
    const relay = new Relay(upstreamPort);
    await new Promise<void>((resolve) => relay.#server.listen(port, "127.0.0.1", resolve));
    return relay;
  }

  set mode(mode: Mode) {
    this.#mode = mode;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #relay(caller: Socket, upstreamPort: number): void {
    const upstream = connect({ port: upstreamPort, host: "127.0.0.1", noDelay: true });
    const slow = new Slowly();
    this.#pair(caller, upstream, slow);
    let refusing = false;
    caller.on("data", (bytes: Buffer) => {
      slow.asked();
      if (this.#mode === "swallow") return;
      // A request begins a piece: our gateways never send one before they have the last answer.
      if (bytes.toString("latin1", 0, 5) === "POST ") refusing = this.#refuses();
      if (!refusing) upstream.write(bytes);
      else if (endsRequest(bytes)) caller.write(ERROR);
    });
    upstream.on("data", (bytes: Buffer) => {
      if (this.#mode === "swallow") return;
      if (this.#mode === "slow") slow.write(caller, bytes);
      else slow.pass(caller, bytes);
    });
  }

  /** Ends together, except in a black hole, where neither side hears of the other's end. */
  #pair(caller: Socket, upstream: Socket, slow: Slowly): void {
    for (const [one, other] of [
      [caller, upstream],
      [upstream, caller],
    ] as const) {
      // A reset and not an end: a killed server's peers are not told a polite goodbye.
      const end = (): void => void other.resetAndDestroy();
      this.#sockets.add(one);
      one.on("error", () => undefined);
      one.on("close", () => {
        this.#sockets.delete(one);
        if (this.#mode === "swallow") return;
        // An answer that is still being told slowly is told to its end, though its server is done.
        if (other === caller) slow.whenTold(end);
        else end();
      });
    }
  }

  #refuses(): boolean {
    return this.#mode === "errors" && this.#requests++ % 2 === 0;
  }
}

/** True when these bytes hold the end of a request's JSON: it may come apart from its head. */
function endsRequest(bytes: Buffer): boolean {
  return bytes.at(-1) === 0x7d;
}

/** Delays what it writes in the measure of how long it took to come, in its order. */
class Slowly {
  #since = performance.now();
  #freeAt = 0;
  #pending = 0;
  #whenTold: (() => void) | null = null;

  asked(): void {
    this.#since = performance.now();
  }

  write(to: Socket, bytes: Buffer): void {
    const now = performance.now();
    const took = now - this.#since;
    this.#since = now;
    this.#freeAt = Math.max(this.#freeAt, now) + took * (SLOWDOWN - 1);
    this.#later(to, bytes, this.#freeAt - now);
  }

  /** At once, unless slower ones are still to go first. */
  pass(to: Socket, bytes: Buffer): void {
    this.#since = performance.now();
    if (this.#pending === 0) to.write(bytes);
    else this.#later(to, bytes, Math.max(0, this.#freeAt - performance.now()));
  }

  whenTold(then: () => void): void {
    if (this.#pending === 0) then();
    else this.#whenTold = then;
  }

  #later(to: Socket, bytes: Buffer, ms: number): void {
    this.#pending += 1;
    setTimeout(() => {
      this.#pending -= 1;
      if (!to.destroyed) to.write(bytes);
      if (this.#pending === 0) this.#whenTold?.();
    }, ms);
  }
}
