import type { StopSignal } from "../../lib/stop.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Parts } from "../chain/call.ts";
import type { AnswerHead } from "../http/answer-head.ts";
import { Collected } from "../http/collected.ts";
import type { Listener, Sending } from "../http/connection.ts";
import type { FaultKind } from "./fault.ts";
import type { Place, Pools } from "./pools.ts";
import { StreamedAnswer, type StreamHooks } from "./stream.ts";
import type { Attendance } from "./vigil.ts";
import { Watch } from "./watch.ts";
import { faultOfError } from "./words.ts";

/** One request to one upstream: a model target or another region's gateway. */
export interface Upstream {
  readonly place: Place;
  readonly method?: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  /** Ends the exchange, also while its stream is read; its reason is an Error that says why. */
  readonly signal: StopSignal;
  /** Time to the first event of a stream, or to the last byte of a whole answer. */
  readonly firstMs: number;
  /** Longest silence once it has begun to answer, in ms; `firstMs` unless given. */
  readonly stallMs?: number;
  /** Told of what comes, and may break it off. */
  readonly attendance?: Attendance;
  /** Told now and then how many ms lie between two events of a stream. */
  readonly onPace?: (ms: number) => void;
  /** How a stream that began ended. Not called when its reader left it, or aborted it. */
  readonly onEnd?: (end: StreamEnding) => void;
}

export type StreamEnding =
  | { readonly whole: true; readonly longestPauseMs: number }
  | { readonly whole: false; readonly because: string };

export type Exchanged =
  | {
      readonly kind: "whole";
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Buffer;
    }
  /** 200 and at least one sound event. */
  | {
      readonly kind: "stream";
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly parts: Parts;
    }
  /** No answer, in an operator's words; nothing of it was told to anybody. */
  | {
      readonly kind: "failed";
      readonly fault: FaultKind;
      readonly because: string;
      /** What it said of the failure in its stream, as it came. */
      readonly event?: string | null;
      /** Whether the upstream may have worked on it: asking again may cost as much again. */
      readonly reached: boolean;
    };

/** A body that is not over so long after its answer is whole is left, with its connection. */
const MOST_BEHIND_MS = 1_000;

/** Largest whole answer that is kept in memory. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/**
 * Mechanism only: sends, waits for the first byte that counts, and says what came. Whose fault it
 * was and whether to try elsewhere is the policy of the links that call this. Never rejects.
 */
export function exchange(pools: Pools, clock: Clock, upstream: Upstream): Promise<Exchanged> {
  return new Promise((resolve) => new Exchange(clock, upstream, resolve).send(pools));
}

/**
 * The listener of one request. Its calls come straight from the socket: a readable stream between
 * the two, and a loop to read that, would cost as much as all else that a request needs.
 */
class Exchange implements Listener, StreamHooks {
  readonly #clock: Clock;
  readonly #upstream: Upstream;
  readonly #settle: (exchanged: Exchanged) => void;
  readonly #watch: Watch;
  readonly #stop = (): void => this.#cut(this.#upstream.signal.reason);
  #callOff: (() => void) | null = null;
  /** Null until the request is on its way. */
  #sending: Sending | null = null;
  /** Why we broke it off, an Error; null while we did not. */
  #reason: unknown = null;
  /** Whoever asked was told. */
  #settled = false;
  #status = 0;
  #headers: Readonly<Record<string, string>> = {};
  #stream: StreamedAnswer | null = null;
  readonly #body = new Collected();

  constructor(clock: Clock, upstream: Upstream, settle: (exchanged: Exchanged) => void) {
    this.#clock = clock;
    this.#upstream = upstream;
    this.#settle = settle;
    const stallMs = upstream.stallMs ?? upstream.firstMs;
    this.#watch = new Watch(clock, stallMs, (because) => this.#cut(because), upstream.onPace);
  }

  send(pools: Pools): void {
    const { place, method = "POST", headers, body = null, signal, firstMs } = this.#upstream;
    if (signal.aborted) {
      this.#cut(signal.reason);
      return;
    }
    signal.addEventListener("abort", this.#stop);
    const late = (): void => this.#cut(new Error(`no answer in ${Math.round(firstMs)} ms`));
    this.#callOff = this.#clock.after(firstMs, late);
    this.#upstream.attendance?.sent((because) => this.#cut(because));
    const { path, host } = place;
    pools.of(place).send({ method, path, host, headers, body }, this);
  }

  onSend(sending: Sending): void {
    this.#sending = sending;
    // Given up while it waited for a connection.
    if (this.#reason !== null) sending.abort(asError(this.#reason));
  }

  onHead({ status, headers }: AnswerHead): void {
    this.#upstream.attendance?.heard();
    this.#status = status;
    this.#headers = headers;
    const type = this.#headers["content-type"] ?? "";
    if (status === 200 && type.startsWith("text/event-stream")) {
      this.#stream = new StreamedAnswer(this);
    } else {
      this.#watch.begin();
    }
  }

  onBody(piece: Buffer): void {
    this.#upstream.attendance?.heard();
    if (this.#stream === null) this.#add(piece);
    else this.#stream.push(piece);
  }

  onRead(): void {
    this.#stream?.flush();
  }

  onEnd(): void {
    if (this.#stream === null) this.#tellWhole();
    else this.#stream.ended();
    this.#end();
  }

  onError(error: Error): void {
    this.#broke(error);
  }

  #add(piece: Buffer): void {
    this.#watch.progress();
    this.#body.add(piece);
    if (this.#body.length > MAX_ANSWER_BYTES) this.#cut(new Error("an answer larger than 64 MiB"));
  }

  #tellWhole(): void {
    const body = this.#body.whole();
    this.#tell({ kind: "whole", status: this.#status, headers: this.#headers, body });
  }

  /** What came of it, to whoever asked; the first one counts. */
  #tell(exchanged: Exchanged): void {
    if (this.#settled) return;
    this.#settled = true;
    // Also the bound of a stream that has begun: it may take as long as its deadline allows.
    this.#callOff?.();
    this.#settle(exchanged);
  }

  /** Nothing more comes, and the caller's going must not cost the connection. */
  #end(): void {
    this.#watch.end();
    this.#callOff?.();
    this.#upstream.attendance?.over();
    this.#upstream.signal.removeEventListener("abort", this.#stop);
  }

  /** We break it off. */
  #cut(reason: unknown): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    // Still waiting for a connection, it ends for whoever asked, and sends nothing later.
    if (this.#sending === null) this.#broke(reason);
    else this.#sending.abort(asError(reason));
  }

  #broke(error: unknown): void {
    this.#end();
    if (this.#stream?.begun === true) this.#stream.broke(this.#reason ?? error);
    else this.#tellFailed(error);
  }

  #tellFailed(error: unknown): void {
    const fault = faultOfError(error, this.#reason);
    const reached = fault.reached && (this.#reason === null || this.#sending !== null);
    this.#tell({ kind: "failed", fault: fault.kind, because: fault.because, reached });
  }

  onBegin(): void {
    const parts = this.#stream;
    if (parts === null) return;
    this.#tell({ kind: "stream", status: this.#status, headers: this.#headers, parts });
  }

  onFailed(because: string, event: string | null): void {
    this.#tell({ kind: "failed", fault: "nonsense", because, event, reached: true });
  }

  onEvent(count: number): void {
    this.#watch.progress(count);
    this.#watch.begin();
  }

  onWhole(): void {
    this.#watch.whole();
    this.#end();
    this.#callOff = this.#clock.after(MOST_BEHIND_MS, () => this.#cut(LEFT));
    this.#upstream.onEnd?.({ whole: true, longestPauseMs: this.#watch.longestMs });
  }

  onCut(because: string): void {
    const { signal, onEnd } = this.#upstream;
    if (!signal.aborted) onEnd?.({ whole: false, because });
  }

  pause(): void {
    this.#watch.pause();
    this.#sending?.pause();
  }

  resume(): void {
    this.#watch.resume();
    this.#sending?.resume();
  }

  leave(): void {
    this.#end();
    this.#cut(LEFT);
  }
}

/** Its stack says nothing, and to make one for each stream that is left would be a waste. */
const LEFT = new Error("its reader left");

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
