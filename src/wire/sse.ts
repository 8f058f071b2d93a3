/**
 * Server-sent events, read and written (WHATWG HTML, section 9.2). The reader works on bytes and
 * cuts lines before it decodes: a UTF-8 character split over two chunks is never seen in halves,
 * because no byte of one equals CR or LF.
 */

export interface SseEvent {
  readonly kind: "event";
  /** `message` unless the sender named another. */
  readonly event: string;
  /** The data lines joined by LF. */
  readonly data: string;
}

/** The stream broke a limit; the parser reads nothing after it. */
export interface SseFault {
  readonly kind: "fault";
  readonly message: string;
}

export type SseItem = SseEvent | SseFault;

/** Largest event taken unless told otherwise, in bytes: far above any chunk of a real model. */
export const MAX_EVENT_BYTES = 4 * 1024 * 1024;

const LF = 10;
const CR = 13;
const EMPTY = new Uint8Array(0);
/** One for all: it keeps nothing between two lines, and one each would weigh more than a stream. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Feed it chunks of any size; it returns the events which those bytes completed, in order. The
 * same bytes give the same items however they are cut.
 *
 * An event counts only when its blank line has come: at the end of a stream a half event is not
 * delivered, and `partial` tells that there was one. Taking it for whole is how a cut answer comes
 * to look like a finished one.
 */
export class SseParser {
  readonly #maxEventBytes: number;
  /** Pieces of the unfinished line: joined once at its end, else long lines cost quadratic time. */
  #pieces: Uint8Array[] = [];
  #lineBytes = 0;
  #eventBytes = 0;
  #data: string[] = [];
  #event = "";
  #firstLine = true;
  /** The last byte was CR: an LF that opens the next chunk belongs to the same line end. */
  #afterCr = false;
  #broken = false;

  constructor(options: { readonly maxEventBytes?: number } = {}) {
    this.#maxEventBytes = options.maxEventBytes ?? MAX_EVENT_BYTES;
  }

  /** True while bytes of an event that has not ended are held. */
  get partial(): boolean {
    return this.#lineBytes > 0 || this.#data.length > 0 || this.#event !== "";
  }

  push(bytes: Uint8Array): SseItem[] {
    const items: SseItem[] = [];
    if (this.#areWholeLines(bytes)) this.#pushLines(decoder.decode(bytes), items);
    else this.#pushBytes(bytes, items);
    return items;
  }

  /** As nearly all pieces are: then nothing of one is kept, and all of it is decoded at once. */
  #areWholeLines(bytes: Uint8Array): boolean {
    const isAlone = this.#lineBytes === 0 && !this.#afterCr && !this.#firstLine && !this.#broken;
    return (
      isAlone &&
      bytes.at(-1) === LF &&
      this.#eventBytes + bytes.length <= this.#maxEventBytes &&
      !bytes.includes(CR)
    );
  }

  #pushLines(text: string, items: SseItem[]): void {
    for (let start = 0; start < text.length; ) {
      const end = text.indexOf("\n", start);
      if (end === start) this.#dispatch(items);
      else this.#field(text.slice(start, end));
      start = end + 1;
    }
  }

  #pushBytes(bytes: Uint8Array, items: SseItem[]): void {
    let start = 0;
    for (let at = 0; at < bytes.length && !this.#broken; at++) {
      const byte = bytes[at];
      if (byte !== LF && byte !== CR) {
        this.#afterCr = false;
        continue;
      }
      const secondHalf = byte === LF && this.#afterCr;
      this.#afterCr = byte === CR;
      if (!secondHalf) this.#endLine(bytes.subarray(start, at), items);
      start = at + 1;
    }
    if (!this.#broken) this.#hold(bytes.subarray(start), items);
  }

  #hold(piece: Uint8Array, items: SseItem[]): void {
    if (piece.length === 0) return;
    this.#lineBytes += piece.length;
    if (this.#tooLarge(items)) return;
    // A copy: the caller may reuse its buffer for the next read.
    this.#pieces.push(piece.slice());
  }

  #endLine(piece: Uint8Array, items: SseItem[]): void {
    this.#lineBytes += piece.length;
    if (this.#tooLarge(items)) return;
    const line = this.#takeLine(piece);
    if (line === "") this.#dispatch(items);
    else this.#field(line);
  }

  #takeLine(last: Uint8Array): string {
    const whole = this.#pieces.length === 0 ? last : concatenate([...this.#pieces, last]);
    this.#pieces = [];
    this.#lineBytes = 0;
    const line = whole.length === 0 ? "" : decoder.decode(whole);
    const bare = this.#firstLine && line.startsWith("\uFEFF") ? line.slice(1) : line;
    this.#firstLine = false;
    return bare;
  }

  #field(line: string): void {
    const colon = line.indexOf(":");
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    // A comment has an empty name; id and retry serve reconnection, which no chat stream has.
    if (name === "data") {
      this.#data.push(value);
      this.#eventBytes += line.length;
    } else if (name === "event") {
      this.#event = value;
    }
  }

  #dispatch(items: SseItem[]): void {
    if (this.#data.length > 0) {
      const [only = ""] = this.#data;
      const data = this.#data.length === 1 ? only : this.#data.join("\n");
      items.push({ kind: "event", event: this.#event || "message", data });
    }
    this.#data = [];
    this.#event = "";
    this.#eventBytes = 0;
  }

  #tooLarge(items: SseItem[]): boolean {
    if (this.#eventBytes + this.#lineBytes <= this.#maxEventBytes) return false;
    this.#broken = true;
    this.#pieces = [];
    this.#data = [];
    items.push({
      kind: "fault",
      message: `an event of the stream is larger than ${this.#maxEventBytes} bytes`,
    });
    return true;
  }
}

function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return pieces.length === 0 ? EMPTY : whole;
}

/** One event as text. Line breaks in `data` become several data lines, as the format demands. */
export function formatSse(data: string, event?: string): string {
  const name = event === undefined ? "" : `event: ${event.replace(/[\r\n]+/g, " ")}\n`;
  if (!data.includes("\n") && !data.includes("\r")) return `${name}data: ${data}\n\n`;
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
  return `${name}${lines.join("")}\n`;
}

/** What ends an OpenAI stream. It says that no more follows, not that the answer is whole. */
export const SSE_DONE = "data: [DONE]\n\n";
