import { FRESH_RELAY, type Relay, relay } from "../../core/stream/relay.ts";
import { howFar, judge } from "../../core/stream/state.ts";
import { errorBody } from "../../wire/errors.ts";
import { formatSse, SseParser } from "../../wire/sse.ts";
import type { LastPart, Parts, Sink, StreamPart } from "../chain/call.ts";
import { inWords } from "./words.ts";

/** What a stream tells, and asks of, the exchange that it comes from. */
export interface StreamHooks {
  /** Its first sound event is here: it can be told. */
  onBegin(): void;
  /** Nothing of it can be told. `event`: data of the event that ended it, as it came. */
  onFailed(because: string, event: string | null): void;
  /** More of the answer is here: so many events. */
  onEvent(count: number): void;
  /** At a sound [DONE]. */
  onWhole(): void;
  /** It began, and cannot be finished. */
  onCut(because: string): void;
  /** Its reader is slower than it: nothing more is to be read until `resume`. */
  pause(): void;
  resume(): void;
  /** Its reader wants no more, or nothing more of it counts. */
  leave(): void;
}

type Result = IteratorResult<StreamPart, undefined>;
type Reader = (result: Result) => void;

/** So many UTF-16 units wait for a reader; it is about what a socket's own buffer holds. */
const MOST_WAITING = 64 * 1024;
/** What may come behind [DONE], in bytes: whitespace, a comment. More, and it is left. */
const MOST_BEHIND = 4 * 1024;

const DONE: Result = { done: true, value: undefined };

/**
 * A stream of an upstream, from bytes to parts. Before its first sound event nothing was told to
 * the caller and any fault means another upstream; after it, a fault is a cut that the caller must
 * see. Bytes are pushed in as they come and parts are taken out as the reader can: no turn of the
 * loop is spent on handing one from here to there.
 */
export class StreamedAnswer implements Parts, AsyncIterator<StreamPart> {
  readonly #hooks: StreamHooks;
  readonly #parser = new SseParser();
  #relay: Relay = FRESH_RELAY;
  /** SSE text that may be told and was not yet. */
  #text = "";
  #begun = false;
  /** Nothing more counts. `broken` is why the body ended early, null when it did not. */
  #over: { readonly broken: string | null } | null = null;
  /** The last part was told. */
  #told = false;
  #paused = false;
  #behind = 0;
  #reader: Reader | null = null;
  /** Whom the parts are told at once, and who is told the last one. */
  #sink: Sink | null = null;
  #onLast: ((last: LastPart | null) => void) | null = null;
  /** The sink wants no more for the moment. */
  #isFull = false;

  constructor(hooks: StreamHooks) {
    this.#hooks = hooks;
  }

  /** Whether any of it may have been told. */
  get begun(): boolean {
    return this.#begun;
  }

  /** Bytes of the body. What they say is told with `flush`, or with the end. */
  push(piece: Uint8Array): void {
    if (this.#over === null) this.#pushed(piece);
    else this.#pushBehind(piece);
  }

  #pushed(piece: Uint8Array): void {
    const before = this.#relay.state.events;
    const last = this.#take(piece);
    const events = this.#relay.state.events - before;
    if (events > 0) this.#hooks.onEvent(events);
    const { done, fault } = this.#relay.state;
    if (done || fault !== null) this.#conclude(last);
    else if (!this.#begun && this.#relay.state.events > 0) this.#begin();
  }

  /**
   * Tells what was pushed since, in one: who is behind finds many events in one read, and would get
   * further behind by writing each of them for itself.
   */
  flush(): void {
    if (this.#over === null) this.#tell();
  }

  /** The body's end. */
  ended(): void {
    this.#end(null, null);
  }

  /** The body broke. */
  broke(error: unknown): void {
    this.#end(inWords(error), null);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result> {
    const ready = this.#ready();
    if (ready !== null) return Promise.resolve(ready);
    return new Promise((resolve) => {
      this.#reader = resolve;
    });
  }

  pour(sink: Sink): Promise<LastPart | null> {
    return new Promise((resolve) => {
      this.#sink = sink;
      this.#onLast = resolve;
      this.#pourOn(sink);
    });
  }

  return(): Promise<Result> {
    this.#told = true;
    if (this.#over === null) {
      this.#over = { broken: null };
      this.#hooks.leave();
    }
    this.#reader?.(DONE);
    this.#reader = null;
    this.#onLast?.(null);
    this.#onLast = null;
    return Promise.resolve(DONE);
  }

  /** The data of the newest event in the piece. */
  #take(piece: Uint8Array): string | null {
    let last: string | null = null;
    for (const item of this.#parser.push(piece)) {
      const { relay: next, tell } = relay(this.#relay, item);
      this.#relay = next;
      for (const data of tell) this.#text += formatSse(data);
      last = item.kind === "event" ? item.data : null;
      if (next.state.done || next.state.fault !== null) break;
    }
    return last;
  }

  /**
   * Behind [DONE] there is normally nothing but the body's end, and it is waited for: to close the
   * body instead would close the connection, and every streamed request would need a new one.
   */
  #pushBehind(piece: Uint8Array): void {
    this.#behind += piece.length;
    if (this.#behind > MOST_BEHIND) this.#hooks.leave();
  }

  /** The stream itself said its end. */
  #conclude(last: string | null): void {
    const whole = judge(this.#relay.state).whole;
    this.#end(null, last);
    if (whole) this.#hooks.onWhole();
    else this.#hooks.leave();
  }

  #end(broken: string | null, last: string | null): void {
    if (this.#over !== null) return;
    this.#over = { broken };
    const wholeness = judge(this.#relay.state);
    // One piece may be all of an answer: it begins and ends at once.
    if (!this.#begun && wholeness.whole) this.#begin();
    if (this.#begun) this.#tell();
    else if (!wholeness.whole) this.#hooks.onFailed(broken ?? wholeness.because, last);
  }

  #begin(): void {
    this.#begun = true;
    this.#hooks.onBegin();
  }

  /** To the reader, if one waits; otherwise it is kept, up to a bound. */
  #tell(): void {
    if (this.#sink !== null) this.#pourOn(this.#sink);
    const reader = this.#reader;
    const ready = reader === null ? null : this.#ready();
    if (reader !== null && ready !== null) {
      this.#reader = null;
      reader(ready);
    } else if (!this.#paused && this.#over === null && this.#text.length > MOST_WAITING) {
      this.#paused = true;
      this.#hooks.pause();
    }
  }

  #pourOn(sink: Sink): void {
    while (!this.#isFull) {
      const ready = this.#ready();
      if (ready === null || ready.done === true) return;
      const { end, text } = ready.value;
      if (end !== null) {
        this.#onLast?.({ ...ready.value, end });
        this.#onLast = null;
      } else if (!sink.write(text)) this.#waitFor(sink);
    }
  }

  #waitFor(sink: Sink): void {
    this.#isFull = true;
    void sink.writable().then(() => {
      this.#isFull = false;
      this.#pourOn(sink);
    });
  }

  #ready(): Result | null {
    if (this.#told) return DONE;
    if (this.#over !== null) return { done: false, value: this.#lastParts(this.#over) };
    if (this.#text === "") return null;
    const text = this.#taken();
    if (this.#paused) {
      this.#paused = false;
      this.#hooks.resume();
    }
    return { done: false, value: { text, end: null } };
  }

  #taken(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }

  #lastParts({ broken }: { readonly broken: string | null }): StreamPart {
    const { state } = this.#relay;
    const wholeness = judge(state);
    const text = this.#taken();
    if (wholeness.whole) {
      this.#told = true;
      return { text, end: { outcome: "complete", because: "whole", usage: state.usage } };
    }
    // Apart: whoever continues the answer tells the one and drops the other.
    if (text !== "") return { text, end: null };
    this.#told = true;
    const because = broken ?? wholeness.because;
    this.#hooks.onCut(because);
    return {
      text: cutEvent(`after ${howFar(state)}`, because),
      end: { outcome: "cut", because, usage: state.usage, cut: this.#relay },
    };
  }
}

/**
 * How a stream that began and cannot be finished ends: an error event that every OpenAI client
 * throws on, and neither a finish reason nor [DONE], so that no client takes it for finished.
 */
function cutEvent(where: string, because: string): string {
  const message = `The answer was cut ${where}: ${because}. What came is not the whole answer; send the request again.`;
  return formatSse(JSON.stringify(errorBody({ message, type: "api_error", code: "stream_cut" })));
}
