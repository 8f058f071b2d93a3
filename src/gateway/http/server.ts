import { createServer, type Server } from "node:net";
import { Caller, type CallerTimes, type House, type Refusal } from "./caller.ts";
import type { Inbound } from "./inbound.ts";
import type { BadMessage } from "./message.ts";

export interface Serving {
  readonly times: CallerTimes;
  /** Never throws. */
  readonly answer: (inbound: Inbound) => void;
  readonly refusal: (fault: BadMessage) => Refusal;
  /** A caller could not be taken, for want of sockets for one. Those that are here are served on. */
  readonly failed: (error: Error) => void;
}

/** Callers are looked through so often, in ms: those that are overdue go. */
const SWEEP_MS = 1_000;

/** A server of HTTP/1.1 over plain connections. */
export class HttpServer implements House {
  /** Whoever wants it to listen does so here. */
  readonly listener: Server;
  readonly times: CallerTimes;
  readonly #serving: Serving;
  readonly #callers = new Set<Caller>();
  readonly #sweep: NodeJS.Timeout;
  #isClosing = false;
  #date = "";
  /** The second that it was made for. */
  #dateOf = -1;

  constructor(serving: Serving) {
    this.#serving = serving;
    this.times = serving.times;
    this.listener = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => {
      this.#callers.add(new Caller(socket, this));
    });
    // What goes wrong before is for whoever wanted it to listen.
    this.listener.once("listening", () => this.listener.on("error", serving.failed));
    const shortest = Math.min(...Object.values(serving.times));
    this.#sweep = setInterval(() => this.#look(), Math.min(SWEEP_MS, shortest)).unref();
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  answer(inbound: Inbound): void {
    this.#serving.answer(inbound);
  }

  refusal(fault: BadMessage): Refusal {
    return this.#serving.refusal(fault);
  }

  date(): string {
    const now = Date.now();
    const second = Math.floor(now / 1_000);
    if (second !== this.#dateOf) {
      this.#date = new Date(now).toUTCString();
      this.#dateOf = second;
    }
    return this.#date;
  }

  gone(caller: Caller): void {
    this.#callers.delete(caller);
  }

  /** Takes nobody more, and closes each connection behind its answer. Resolves when all are closed. */
  async close(): Promise<void> {
    this.#isClosing = true;
    const closed = new Promise<void>((resolve) => this.listener.close(() => resolve()));
    for (const caller of this.#callers) caller.closeIdle();
    await closed;
    clearInterval(this.#sweep);
  }

  /** Breaks off what is still under way. */
  destroy(): void {
    for (const caller of this.#callers) caller.destroy();
  }

  #look(): void {
    const now = performance.now();
    for (const caller of this.#callers) if (caller.dueAt <= now) caller.overdue();
  }
}
