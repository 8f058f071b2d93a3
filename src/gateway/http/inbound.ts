import { STATUS_CODES } from "node:http";
import { Stop, type StopSignal } from "../../lib/stop.ts";
import { Collected } from "./collected.ts";
import { type Headers, type Lines, linesOf } from "./message.ts";
import type { RequestHead } from "./request-head.ts";

export type Body =
  | { readonly kind: "whole"; readonly bytes: Buffer }
  | { readonly kind: "too-large" }
  /** The caller went before all of it was here. */
  | { readonly kind: "gone" };

/** One request of a caller, and the way to answer it once. What is told too late goes nowhere. */
export interface Inbound {
  readonly method: string;
  /** As it came: a path, and what stands behind a `?`. */
  readonly target: string;
  /** Names in lower case. */
  readonly headers: Headers;
  /** Aborts when the exchange is over, whichever way: its answer is out, or its caller is gone. */
  readonly over: StopSignal;
  /** Nobody reads an answer any more. */
  readonly isOver: boolean;
  /** Some of the answer is out. */
  readonly hasBegun: boolean;
  /**
   * The body, once; at most `limitBytes` of it come into memory. What is beyond is read and thrown
   * away: closing the connection under a caller that still sends would make it see a reset instead
   * of the answer that says what is wrong. The time that a request may take bounds it.
   */
  readBody(limitBytes: number): Promise<Body> | Body;
  /** All of an answer. Throws a TypeError for a header that cannot be sent, before anything is. */
  whole(status: number, headers: Headers, body: Buffer | string): void;
  /** The head of an answer of which parts follow: `write`, then `end` or `cut`. Throws as `whole`. */
  begin(status: number, headers: Headers): void;
  /** False when the caller is slower than its answer: `writable` tells when it is not any more. */
  write(text: string): boolean;
  /** When the caller has taken what was written, or is gone. */
  writable(): Promise<void>;
  /** The last part. */
  end(text: string): void;
  /** The last part of an answer that is not whole: the connection breaks behind it. */
  cut(text: string): void;
  /** Breaks the connection off at once. */
  abort(): void;
}

/** The connection, as the request on it sees it. */
export interface Line {
  /** Whether it can be used again, as far as we are concerned. */
  readonly isKept: boolean;
  /** Headers of the connection itself. */
  ownLines(kept: boolean): string;
  /** `bytes`: how long the body is. False when the caller is slower. */
  send(head: Lines, body: Buffer | string, bytes: number): boolean;
  /** The body is wanted. */
  resume(): void;
  /** The answer was sent. Not `kept`: behind it the connection ends. */
  answered(kept: boolean): void;
  destroy(): void;
}

const GONE: Body = { kind: "gone" };
const TOO_LARGE: Body = { kind: "too-large" };

/** Made once: where they were made says nothing, and each exchange ends with one. */
const ANSWERED = new Error("the caller was answered");

const NOTHING = "";
/** A limit that any byte is beyond. */
const NONE = -1;
const LINE_END = "\r\n";
const LAST_CHUNK = "0\r\n\r\n";
const CONTINUE: Lines = { text: "HTTP/1.1 100 Continue\r\n\r\n", isAscii: true };

export class InboundRequest implements Inbound {
  readonly over = new Stop();
  readonly #head: RequestHead;
  readonly #line: Line;
  /** What came of the body; null when nothing has, or nobody wants it. */
  #pieces: Collected | null = null;
  #isWhole = false;
  /** The caller sends it, or was told to. */
  #comes = false;
  /** Of the body; null until it is asked for. */
  #limit: number | null = null;
  #onBody: ((body: Body) => void) | null = null;
  /** The head of an answer in parts that waits for the first of them. */
  #waiting: Lines | null = null;
  #hasBegun = false;
  #isOver = false;
  #isKept = false;
  #onWritable: (() => void) | null = null;

  constructor(line: Line, head: RequestHead) {
    this.#line = line;
    this.#head = head;
  }

  get method(): string {
    return this.#head.method;
  }

  get target(): string {
    return this.#head.target;
  }

  get headers(): Headers {
    return this.#head.headers;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Nothing that came before the answer may be read as another request. */
  get isLast(): boolean {
    return this.#head.wishes;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Nobody has asked for the body yet, and somebody may. */
  get isUndecided(): boolean {
    return this.#limit === null && !this.#isOver;
  }

  readBody(limitBytes: number): Promise<Body> | Body {
    this.#limit = limitBytes;
    if (this.#isOver) return GONE;
    const { framing } = this.#head;
    const declared = framing.kind === "length" ? framing.bytes : 0;
    if (Math.max(declared, this.#pieces?.length ?? 0) > limitBytes) return this.#tooLarge();
    if (this.#isWhole) return this.#wholeBody();
    if (this.#head.waits && !this.#comes) this.#line.send(CONTINUE, NOTHING, 0);
    this.#comes = true;
    this.#line.resume();
    return new Promise((resolve) => {
      this.#onBody = resolve;
    });
  }

  /** A piece of the body, which is lent for the moment. */
  push(piece: Buffer): void {
    this.#comes = true;
    if (this.#isOver || this.#limit === NONE) return;
    this.#pieces ??= new Collected();
    this.#pieces.add(piece);
    if (this.#limit !== null && this.#pieces.length > this.#limit) this.#tell(this.#tooLarge());
  }

  /** All of the body is here. */
  pushed(): void {
    this.#isWhole = true;
    if (this.#onBody !== null) this.#tell(this.#wholeBody());
  }

  whole(status: number, headers: Headers, body: Buffer | string): void {
    if (this.#isOver) return;
    const kept = this.#keeps();
    const { text, isAscii } = linesOf(headers);
    const bytes = Buffer.byteLength(body);
    const length = hasBody(status) ? `content-length: ${bytes}\r\n` : NOTHING;
    const all = `${statusLine(status)}${text}${length}${this.#line.ownLines(kept)}\r\n`;
    const isEmpty = length === NOTHING || this.method === "HEAD";
    this.#hasBegun = true;
    this.#line.send({ text: all, isAscii }, isEmpty ? NOTHING : body, isEmpty ? 0 : bytes);
    this.#answered(kept);
  }

  begin(status: number, headers: Headers): void {
    if (this.#isOver) return;
    // An older HTTP knows no chunks: there the end of the connection is the end of the answer.
    this.#isKept = this.#keeps() && !this.#head.isOld;
    const { text, isAscii } = linesOf(headers);
    const coding = this.#head.isOld ? NOTHING : "transfer-encoding: chunked\r\n";
    const own = this.#line.ownLines(this.#isKept);
    this.#hasBegun = true;
    this.#waiting = { text: `${statusLine(status)}${text}${coding}${own}\r\n`, isAscii };
    // The first part mostly is there already, and goes out with it.
    setImmediate(() => this.#sendHead());
  }

  write(text: string): boolean {
    // As a chunk, nothing would be the end.
    return text === NOTHING || this.#sendPart(text);
  }

  writable(): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onWritable = resolve;
    });
  }

  end(text: string): void {
    const last = this.#head.isOld ? NOTHING : LAST_CHUNK;
    if (text === NOTHING) this.#send(last, last.length);
    else this.#sendPart(text, last);
    this.#answered(this.#isKept);
  }

  cut(text: string): void {
    if (text !== NOTHING) this.#sendPart(text);
    this.#answered(false);
  }

  abort(): void {
    if (!this.#isOver) this.#line.destroy();
  }

  /** The caller has taken what was written. */
  drained(): void {
    this.#onWritable?.();
    this.#onWritable = null;
  }

  /** Nothing can be told any more. */
  leave(reason: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#pieces = null;
    this.#waiting = null;
    this.#tell(GONE);
    this.drained();
    this.over.abort(reason);
  }

  #answered(kept: boolean): void {
    if (this.#isOver) return;
    this.#sendHead();
    this.leave(ANSWERED);
    this.#line.answered(kept);
  }

  /** Who waits to be told to send the body, and was not, may send it or another request. */
  #keeps(): boolean {
    const isClear = !this.#head.waits || this.#isWhole || this.#comes;
    return this.#head.keeps && this.#line.isKept && isClear;
  }

  #sendHead(): void {
    if (this.#waiting !== null) this.#send(NOTHING, 0);
  }

  /** A part as a chunk, with what stands behind it. */
  #sendPart(text: string, last = NOTHING): boolean {
    const bytes = Buffer.byteLength(text);
    if (this.#head.isOld) return this.#send(text, bytes);
    const size = bytes.toString(16);
    const around = size.length + 2 * LINE_END.length + last.length;
    return this.#send(`${size}${LINE_END}${text}${LINE_END}${last}`, bytes + around);
  }

  #send(text: string, bytes: number): boolean {
    if (this.#isOver) return true;
    const head = this.#waiting ?? NO_LINES;
    this.#waiting = null;
    const isEmpty = this.method === "HEAD";
    return this.#line.send(head, isEmpty ? NOTHING : text, isEmpty ? 0 : bytes);
  }

  #wholeBody(): Body {
    const bytes = this.#pieces?.whole() ?? NO_BYTES;
    this.#pieces = null;
    return { kind: "whole", bytes };
  }

  #tooLarge(): Body {
    this.#pieces = null;
    // Nothing more of it is kept.
    this.#limit = NONE;
    this.#line.resume();
    return TOO_LARGE;
  }

  #tell(body: Body): void {
    this.#onBody?.(body);
    this.#onBody = null;
  }
}

const NO_BYTES = Buffer.alloc(0);
const NO_LINES: Lines = { text: NOTHING, isAscii: true };

function statusLine(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? NOTHING}\r\n`;
}

function hasBody(status: number): boolean {
  return status !== 204 && status !== 304;
}
