import { type AnswerHead, readAnswerHead } from "./answer-head.ts";
import { BadMessage, type Framing, type Whose } from "./message.ts";
import { type RequestHead, readRequestHead } from "./request-head.ts";

/** What a message says, in order. A body's piece is the reader's only during the call. */
export interface Heard<Head> {
  onHead(head: Head): void;
  onBody(piece: Buffer): void;
}

/** Heads, chunks' size lines and trailers that are longer are nobody's but an attacker's. */
const MOST_HEAD_BYTES = 16 * 1024;
/** Longer pieces are too long a head, or hold its end. */
const MOST_READ = MOST_HEAD_BYTES + 4;
const BARE_LINE_FEED = /(?:^|[^\r])\n/;
/** Answers before the answer (1xx). */
const MOST_EARLY = 16;

const HEAD_END = "\r\n\r\n";
const CR = 13;
const LF = 10;
const SEMICOLON = 59;

/** Reads the answers of one server. */
export function readingAnswers(heard: Heard<AnswerHead>): MessageReader {
  return new MessageReader(new AnswerReading(heard));
}

/**
 * Reads the requests of one caller. Extensions of chunks and trailers are refused: nobody needs
 * them here, and each reader of them that goes its own way is a way to smuggle.
 */
export function readingRequests(heard: Heard<RequestHead>): MessageReader {
  return new MessageReader(new RequestReading(heard));
}

/** What is read, and who is told. */
interface Reading {
  readonly whose: Whose;
  /** Lines end with CRLF from the first on, and chunks have neither extensions nor trailers. */
  readonly plain: boolean;
  /** Judges the nth head, from 1; null when the message's own is still to come. */
  judge(text: string, nth: number): Framing | null;
  /** The head was judged. The reader may be stopped from here on. */
  onHead(): void;
  onBody(piece: Buffer): void;
}

class AnswerReading implements Reading {
  readonly whose = "its answer";
  readonly plain = false;
  readonly #heard: Heard<AnswerHead>;
  #head: AnswerHead | null = null;

  constructor(heard: Heard<AnswerHead>) {
    this.#heard = heard;
  }

  judge(text: string, nth: number): Framing | null {
    const head = readAnswerHead(text);
    if (head.status < 200) return early(head.status, nth);
    this.#head = head;
    return head.framing;
  }

  onHead(): void {
    const head = this.#head;
    this.#head = null;
    if (head !== null) this.#heard.onHead(head);
  }

  onBody(piece: Buffer): void {
    this.#heard.onBody(piece);
  }
}

class RequestReading implements Reading {
  readonly whose = "the request";
  readonly plain = true;
  readonly #heard: Heard<RequestHead>;
  #head: RequestHead | null = null;

  constructor(heard: Heard<RequestHead>) {
    this.#heard = heard;
  }

  judge(text: string): Framing {
    this.#head = readRequestHead(text);
    return this.#head.framing;
  }

  onHead(): void {
    const head = this.#head;
    this.#head = null;
    if (head !== null) this.#heard.onHead(head);
  }

  onBody(piece: Buffer): void {
    this.#heard.onBody(piece);
  }
}

function early(status: number, nth: number): null {
  // Nobody asked for another protocol, and what follows would be in it.
  if (status === 101) throw new BadMessage("it changed the protocol");
  if (nth > MOST_EARLY) throw new BadMessage("it announces answers without end");
  return null;
}

type State =
  | "head"
  | "length"
  | "close"
  | "size"
  | "extension"
  | "size-lf"
  | "chunk"
  | "chunk-cr"
  | "chunk-lf"
  | "trailer"
  | "trailer-line"
  | "trailer-lf"
  | "end-lf"
  | "whole";

/**
 * Reads messages from the bytes of a connection, however they are cut, one after each `begin`. It
 * keeps no more of them than an unfinished head. Pure: it knows no socket.
 */
export class MessageReader {
  readonly #reading: Reading;
  #state: State = "whole";
  /** The head so far, bytes as single characters. */
  #held = "";
  #heads = 0;
  /** Of the body or the chunk. */
  #left = 0;
  /** Digits of the chunk's size. */
  #digits = 0;
  /** Bytes that are neither head nor body, such as trailers. */
  #besides = 0;

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  /** Another message begins. */
  begin(): void {
    this.#state = "head";
    this.#held = "";
    this.#heads = 0;
    this.#digits = 0;
    this.#besides = 0;
  }

  /** The message is over, or was stopped, or none has begun. */
  get isWhole(): boolean {
    return this.#state === "whole";
  }

  /** Nothing of what comes counts any more. */
  stop(): void {
    this.#state = "whole";
  }

  /**
   * Takes the bytes from `from` to `end`, and says where those of the message end: before `end` when
   * it is over before. Throws `BadMessage` when they can be no message's.
   */
  push(bytes: Buffer, from: number, end: number): number {
    let at = from;
    while (at < end && this.#state !== "whole") at = this.#step(bytes, at, end);
    return at;
  }

  /** The connection ended. True when that is the message's own end. */
  ended(): boolean {
    if (this.#state === "close") this.#state = "whole";
    return this.#state === "whole";
  }

  #step(bytes: Buffer, at: number, end: number): number {
    switch (this.#state) {
      case "head":
        return this.#head(bytes, at, end);
      case "length":
      case "chunk":
        return this.#body(bytes, at, end);
      case "close":
        this.#reading.onBody(bytes.subarray(at, end));
        return end;
      default:
        this.#state = this.#behind(bytes[at] ?? 0);
        return at + 1;
    }
  }

  #head(bytes: Buffer, at: number, end: number): number {
    // The body may be behind it; as text that is not wanted, so no more is read than a head can be.
    const piece = bytes.toString("latin1", at, Math.min(end, at + MOST_READ));
    const before = this.#held.length;
    const all = before === 0 ? piece : this.#held + piece;
    const found = all.indexOf(HEAD_END, Math.max(0, before - 3));
    if ((found === -1 ? all.length : found) > MOST_HEAD_BYTES)
      throw new BadMessage(`the head of ${this.#reading.whose} is longer than 16 KiB`, 431);
    if (found === -1) {
      // Its end would be waited for in vain.
      if (this.#reading.plain && BARE_LINE_FEED.test(all))
        throw new BadMessage(`a line of ${this.#reading.whose} does not end with CRLF`);
      this.#held = all;
      return end;
    }
    this.#held = "";
    const to = at + found + HEAD_END.length - before;
    this.#headOver(all.slice(0, found + 2));
    return to;
  }

  #headOver(text: string): void {
    this.#heads += 1;
    const framing = this.#reading.judge(text, this.#heads);
    if (framing === null) return;
    this.#state = stateOf(framing);
    this.#left = framing.kind === "length" ? framing.bytes : 0;
    this.#reading.onHead();
  }

  #body(bytes: Buffer, at: number, end: number): number {
    const to = Math.min(end, at + this.#left);
    this.#left -= to - at;
    if (this.#left === 0) this.#state = this.#state === "chunk" ? "chunk-cr" : "whole";
    this.#reading.onBody(bytes.subarray(at, to));
    return to;
  }

  /** The state behind one byte of what stands around chunks. */
  #behind(byte: number): State {
    switch (this.#state) {
      case "size":
        return this.#size(byte);
      case "extension":
        return this.#skipped(byte, "extension", "size-lf");
      case "size-lf":
        return this.#must(byte === LF, this.#left === 0 ? "trailer" : "chunk");
      case "chunk-cr":
        return this.#must(byte === CR, "chunk-lf");
      case "chunk-lf":
        this.#digits = 0;
        this.#besides = 0;
        return this.#must(byte === LF, "size");
      case "trailer":
        if (byte === CR) return "end-lf";
        this.#must(!this.#reading.plain, "whole");
        return this.#skipped(byte, "trailer-line", "trailer-lf");
      case "trailer-line":
        return this.#skipped(byte, "trailer-line", "trailer-lf");
      case "trailer-lf":
        return this.#must(byte === LF, "trailer");
      default:
        return this.#must(byte === LF, "whole");
    }
  }

  #size(byte: number): State {
    const digit = hexDigit(byte);
    if (digit !== -1) {
      this.#left = (this.#digits === 0 ? 0 : this.#left) * 16 + digit;
      this.#digits += 1;
      // Twelve digits are exact as a number, and more than anybody sends at once.
      return this.#must(this.#digits <= 12, "size");
    }
    const isEnd = byte === CR || (byte === SEMICOLON && !this.#reading.plain);
    return this.#must(this.#digits > 0 && isEnd, byte === CR ? "size-lf" : "extension");
  }

  #must(right: boolean, next: State): State {
    if (!right) throw new BadMessage(`the chunks of ${this.#reading.whose} are malformed`);
    return next;
  }

  /** Passes over a line. Its end is a CR, which must be followed by an LF. */
  #skipped(byte: number, line: State, next: State): State {
    this.#besides += 1;
    return this.#must(byte !== LF && this.#besides <= MOST_HEAD_BYTES, byte === CR ? next : line);
  }
}

function stateOf(framing: Framing): State {
  if (framing.kind === "chunked") return "size";
  if (framing.kind === "close") return "close";
  return framing.kind === "length" && framing.bytes > 0 ? "length" : "whole";
}

/** -1 for what is none. */
function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 0x20;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
