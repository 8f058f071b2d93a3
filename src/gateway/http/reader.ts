import { BadAnswer, type Framing, type Head, readHead } from "./head.ts";

/** What an answer says, in order. A body's piece is the reader's only during the call. */
export interface Heard {
  onHead(head: Head): void;
  onBody(piece: Buffer): void;
}

/** Heads, chunks' size lines and trailers that are longer are no server's but an attacker's. */
const MOST_HEAD_BYTES = 16 * 1024;
/** Answers before the answer (1xx). */
const MOST_EARLY = 16;

const HEAD_END = Buffer.from("\r\n\r\n");
const CR = 13;
const LF = 10;
const SEMICOLON = 59;

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
 * Reads answers from the bytes of a connection, however they are cut, one after each `begin`. It
 * keeps no more of them than an unfinished head. Pure: it knows no socket.
 */
export class AnswerReader {
  readonly #heard: Heard;
  #state: State = "whole";
  /** The head so far; null while nothing of it is held. */
  #held: Buffer | null = null;
  #early = 0;
  /** Of the body or the chunk. */
  #left = 0;
  /** Digits of the chunk's size. */
  #digits = 0;
  /** Bytes that are neither head nor body, such as trailers. */
  #besides = 0;

  constructor(heard: Heard) {
    this.#heard = heard;
  }

  /** Another answer begins. */
  begin(): void {
    this.#state = "head";
    this.#held = null;
    this.#early = 0;
    this.#digits = 0;
    this.#besides = 0;
  }

  /** The answer is over, or was stopped. */
  get isWhole(): boolean {
    return this.#state === "whole";
  }

  /** Nothing of what comes counts any more. */
  stop(): void {
    this.#state = "whole";
  }

  /**
   * Takes the first `end` bytes, and says how many of them are the answer's: fewer when it is over
   * before. Throws `BadAnswer` when they can be no answer's.
   */
  push(bytes: Buffer, end: number): number {
    let at = 0;
    while (at < end && this.#state !== "whole") at = this.#step(bytes, at, end);
    return at;
  }

  /** The connection ended. True when that is the answer's own end. */
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
        this.#heard.onBody(bytes.subarray(at, end));
        return end;
      default:
        this.#state = this.#behind(bytes[at] ?? 0);
        return at + 1;
    }
  }

  #head(bytes: Buffer, at: number, end: number): number {
    const held = this.#held;
    const piece = bytes.subarray(at, end);
    const all = held === null ? piece : Buffer.concat([held, piece]);
    const before = held === null ? 0 : held.length;
    const found = all.indexOf(HEAD_END, Math.max(0, before - 3));
    if ((found === -1 ? all.length : found) > MOST_HEAD_BYTES)
      throw new BadAnswer("the head of its answer is longer than 16 KiB");
    if (found === -1) {
      // A copy: the bytes are the socket's.
      this.#held = held === null ? Buffer.from(all) : all;
      return end;
    }
    this.#held = null;
    this.#begin(readHead(all.toString("latin1", 0, found + 2)));
    return at + found + 4 - before;
  }

  #begin(head: Head): void {
    const { status, framing } = head;
    if (status < 200) {
      // Nobody asked for another protocol, and what follows would be in it.
      if (status === 101) throw new BadAnswer("it changed the protocol");
      if (++this.#early > MOST_EARLY) throw new BadAnswer("it announces answers without end");
      return;
    }
    this.#state = stateOf(framing);
    this.#left = framing.kind === "length" ? framing.bytes : 0;
    this.#heard.onHead(head);
  }

  #body(bytes: Buffer, at: number, end: number): number {
    const to = Math.min(end, at + this.#left);
    this.#left -= to - at;
    if (this.#left === 0) this.#state = this.#state === "chunk" ? "chunk-cr" : "whole";
    this.#heard.onBody(bytes.subarray(at, to));
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
        return must(byte === LF, this.#left === 0 ? "trailer" : "chunk");
      case "chunk-cr":
        return must(byte === CR, "chunk-lf");
      case "chunk-lf":
        this.#digits = 0;
        this.#besides = 0;
        return must(byte === LF, "size");
      case "trailer":
        return byte === CR ? "end-lf" : this.#skipped(byte, "trailer-line", "trailer-lf");
      case "trailer-line":
        return this.#skipped(byte, "trailer-line", "trailer-lf");
      case "trailer-lf":
        return must(byte === LF, "trailer");
      default:
        return must(byte === LF, "whole");
    }
  }

  #size(byte: number): State {
    const digit = hexDigit(byte);
    if (digit !== -1) {
      this.#left = (this.#digits === 0 ? 0 : this.#left) * 16 + digit;
      this.#digits += 1;
      // Twelve digits are exact as a number, and more than anybody sends at once.
      return must(this.#digits <= 12, "size");
    }
    const isEnd = byte === CR || byte === SEMICOLON;
    return must(this.#digits > 0 && isEnd, byte === CR ? "size-lf" : "extension");
  }

  /** Passes over a line. Its end is a CR, which must be followed by an LF. */
  #skipped(byte: number, line: State, next: State): State {
    this.#besides += 1;
    return must(byte !== LF && this.#besides <= MOST_HEAD_BYTES, byte === CR ? next : line);
  }
}

function must(right: boolean, next: State): State {
  if (!right) throw new BadAnswer("the chunks of its answer are malformed");
  return next;
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
