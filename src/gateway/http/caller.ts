import type { Socket } from "node:net";
import { type Inbound, InboundRequest, type Line } from "./inbound.ts";
import { lentTo } from "./lent.ts";
import { BadMessage, type Headers, type Lines, linesOf } from "./message.ts";
import { type Heard, readingRequests } from "./reader.ts";
import type { RequestHead } from "./request-head.ts";
import { send } from "./send.ts";

/** All times in milliseconds. */
export interface CallerTimes {
  /** For a request's head to be here, from its first byte; for the first one, from the connection. */
  readonly headMs: number;
  /** For all of a request to be here. */
  readonly requestMs: number;
  /** For the next request to begin. */
  readonly keepAliveMs: number;
  /** For a caller that still sends to see why it is refused, before the connection is closed. */
  readonly lingerMs: number;
}

/** What the callers of one server share. */
export interface House {
  readonly times: CallerTimes;
  readonly isClosing: boolean;
  /** Never throws. */
  answer(inbound: Inbound): void;
  /** What is said to a caller whose bytes are no request. */
  refusal(fault: BadMessage): Refusal;
  /** The `date` header's value. */
  date(): string;
  gone(caller: Caller): void;
}

export interface Refusal {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer | string;
}

/** So many bytes of requests behind the present one are held, so that a caller's leaving is seen. */
const MOST_HELD_BYTES = 64 * 1024;

/** Made once: where they were made says nothing. */
const CLOSED = new Error("the caller closed the connection");
const BROKE = new Error("the caller's connection broke");
const MALFORMED = new Error("the caller's request is malformed");

/**
 * One caller's connection. One request is under way at a time; those behind it wait, with their
 * bytes. A byte that is no request's ends it.
 */
export class Caller implements Line, Heard<RequestHead> {
  readonly #house: House;
  readonly #socket: Socket;
  readonly #reader = readingRequests(this);
  /** The one under way, until it is answered and all of it was read. */
  #request: InboundRequest | null = null;
  /** It was not yet handed over. */
  #isNew = false;
  /** What the answer leaves of the connection; null until there is one. */
  #left: "kept" | "closed" | null = null;
  /** Nothing is read behind the present request, whatever its answer said. */
  #isLast = false;
  /** Bytes behind the present request. */
  #held: Buffer | null = null;
  #isReading = false;
  /** Nothing that comes counts any more. */
  #isLeaving = false;
  #begunAt = 0;
  /** By `performance.now()`: what it has to do must be done by then. */
  dueAt: number;

  /** `accepted`: paused, and nobody else's. */
  constructor(accepted: Socket, house: House) {
    this.#house = house;
    this.#socket = lentTo((bytes, count) => this.#received(bytes, count), accepted);
    this.dueAt = performance.now() + house.times.headMs;
    const socket = this.#socket;
    socket.on("drain", () => this.#drained());
    socket.on("end", () => this.#ended());
    // Without a listener, an error of a caller's socket would end the process.
    socket.on("error", () => this.#request?.leave(BROKE));
    socket.on("close", () => this.#closed());
  }

  onHead(head: RequestHead): void {
    this.#request = new InboundRequest(this, head);
    this.#isNew = true;
  }

  onBody(piece: Buffer): void {
    this.#request?.push(piece);
  }

  get isKept(): boolean {
    return !this.#house.isClosing;
  }

  ownLines(kept: boolean): string {
    const { times } = this.#house;
    const seconds = Math.floor(times.keepAliveMs / 1_000);
    const connection = kept
      ? `connection: keep-alive\r\nkeep-alive: timeout=${seconds}\r\n`
      : "connection: close\r\n";
    return `date: ${this.#house.date()}\r\n${connection}`;
  }

  send(head: Lines, body: Buffer | string, bytes: number): boolean {
    return send(this.#socket, head, body, bytes);
  }

  resume(): void {
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  answered(kept: boolean): void {
    this.#left = kept ? "kept" : "closed";
    this.#settle();
  }

  destroy(): void {
    this.#isLeaving = true;
    this.#socket.destroy();
  }

  /** Closes it if nothing is under way on it. */
  closeIdle(): void {
    if (this.#request === null && this.#reader.isWhole && this.#held === null) this.destroy();
  }

  /** It has not done in time what it had to. */
  overdue(): void {
    const isIdle = this.#request === null && this.#reader.isWhole;
    if (this.#isLeaving || isIdle) this.destroy();
    else this.#refuse(new BadMessage("the request was not here in time", 408));
  }

  /** `bytes` are lent for the moment. */
  #received(bytes: Buffer, count: number): void {
    if (this.#isLeaving) return;
    if (this.#held === null) this.#read(bytes, count);
    else this.#hold(Buffer.concat([this.#held, bytes.subarray(0, count)]));
  }

  #read(bytes: Buffer, count: number): void {
    this.#isReading = true;
    try {
      this.#readAll(bytes, count);
    } catch (error) {
      if (!(error instanceof BadMessage)) throw error;
      this.#refuse(error);
    } finally {
      this.#isReading = false;
    }
  }

  #readAll(bytes: Buffer, count: number): void {
    for (let at = 0; at < count && !this.#isLeaving; ) {
      if (this.#reader.isWhole && !this.#next()) {
        this.#hold(Buffer.from(bytes.subarray(at, count)));
        return;
      }
      at = this.#reader.push(bytes, at, count);
      this.#advance();
    }
  }

  /** Begins another request. False while the one before is under way, or its answer is not taken. */
  #next(): boolean {
    if (this.#request !== null || this.#socket.writableNeedDrain) return false;
    this.#begunAt = performance.now();
    this.dueAt = this.#begunAt + this.#house.times.headMs;
    this.#left = null;
    this.#reader.begin();
    return true;
  }

  /** More of the present request is here. */
  #advance(): void {
    const request = this.#request;
    if (request === null) return;
    const { isWhole } = this.#reader;
    this.dueAt = isWhole ? Number.POSITIVE_INFINITY : this.#begunAt + this.#house.times.requestMs;
    if (isWhole) request.pushed();
    if (this.#isNew) {
      this.#isNew = false;
      this.#house.answer(request);
    }
    if (isWhole) this.#settle();
    // Whoever answers may want the body later, or not at all.
    else if (request.isUndecided) this.#socket.pause();
  }

  /** Goes on once the present request is answered and all of it was read. */
  #settle(): void {
    if (this.#isLeaving || this.#left === null) return;
    if (this.#left === "closed" || this.#isLast || this.#house.isClosing) this.#leave();
    else if (this.#reader.isWhole) this.#free();
    else this.resume();
  }

  #free(): void {
    this.#request = null;
    this.#left = null;
    this.dueAt = performance.now() + this.#house.times.keepAliveMs;
    if (!this.#isReading) this.#takeUp();
  }

  /** Reads what waited, if it can be. */
  #takeUp(): void {
    const held = this.#held;
    if (held === null || this.#request !== null) return;
    this.#held = null;
    this.resume();
    this.#read(held, held.length);
  }

  #hold(bytes: Buffer): void {
    this.#held = bytes;
    this.#isLast ||= this.#request?.isLast === true;
    if (bytes.length > MOST_HELD_BYTES) this.#socket.pause();
  }

  #drained(): void {
    this.#request?.drained();
    if (!this.#isLeaving) this.#takeUp();
  }

  /** The caller wants no answer: one that half closes its connection cannot be told from one that left. */
  #ended(): void {
    if (this.#isLeaving) return;
    this.#request?.leave(CLOSED);
    if (this.#request !== null || !this.#reader.isWhole) this.destroy();
  }

  #closed(): void {
    this.#isLeaving = true;
    this.#request?.leave(CLOSED);
    this.#request = null;
    this.#held = null;
    this.#house.gone(this);
  }

  /** Says what is wrong, where that can be said, and ends it. */
  #refuse(fault: BadMessage): void {
    const hasBegun = this.#request?.hasBegun === true;
    this.#request?.leave(MALFORMED);
    if (hasBegun) {
      this.destroy();
      return;
    }
    const { status, headers, body } = this.#house.refusal(fault);
    const { text, isAscii } = linesOf(headers);
    const bytes = Buffer.byteLength(body);
    const length = `content-length: ${bytes}\r\n`;
    const head = `HTTP/1.1 ${status} Refused\r\n${text}${length}${this.ownLines(false)}\r\n`;
    this.send({ text: head, isAscii }, body, bytes);
    this.#leave();
  }

  /**
   * Closes it when all that was written is on its way. While more comes it stays open for a moment:
   * closed over unread bytes, the caller would see a reset instead of the answer.
   */
  #leave(): void {
    const isClean = this.#reader.isWhole && this.#held === null;
    this.#isLeaving = true;
    this.#request = null;
    this.#held = null;
    if (isClean) {
      this.#socket.destroySoon();
      return;
    }
    this.dueAt = performance.now() + this.#house.times.lingerMs;
    this.#socket.end();
    this.#socket.resume();
  }
}
