/** What the benchmark asks of its load process, and what it gets back. Times in ms. */

export interface Aim {
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly model: string;
}

export type Job =
  /** As many requests as the other side answers, a fixed number at a time. */
  | {
      readonly kind: "closed";
      readonly aim: Aim;
      readonly connections: number;
      readonly forMs: number;
    }
  /** So many requests a second, whatever the other side does. */
  | { readonly kind: "open"; readonly aim: Aim; readonly perSecond: number; readonly forMs: number }
  /** Streams one after the other on a few connections. */
  | {
      readonly kind: "streams";
      readonly aim: Aim;
      readonly atOnce: number;
      readonly each: number;
      readonly events: number;
      readonly gapMs: number;
    }
  /** Many streams at once; `opened` is sent when all have begun, the result `forMs` later. */
  | {
      readonly kind: "hold";
      readonly aim: Aim;
      readonly count: number;
      readonly gapMs: number;
      readonly forMs: number;
    };

export interface ClosedResult {
  readonly requests: number;
  readonly failed: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly firstFailure: string | null;
}

export interface OpenResult {
  readonly sent: number;
  readonly failed: number;
  /** Reached of what was asked for: below 1 the other side, or this load, could not keep up. */
  readonly kept: number;
  /** From the moment at which a request was due, not from when it was sent. */
  readonly p50: number;
  readonly p99: number;
}

export interface StreamsResult {
  readonly streams: number;
  readonly failed: number;
  /** From sending to the first event. */
  readonly first50: number;
  readonly first99: number;
  /** From an event's leaving the upstream to its arrival. */
  readonly delay50: number;
  readonly delay99: number;
  /** How much longer a gap between two events was here than at the upstream. */
  readonly stretch99: number;
}

export interface HoldResult {
  readonly open: number;
  readonly failed: number;
  readonly eventsPerSecond: number;
  readonly delay50: number;
  readonly delay99: number;
}

export type Result = ClosedResult | OpenResult | StreamsResult | HoldResult;

/** What the load process sends. */
export type Said =
  | { readonly said: "up" }
  | { readonly said: "opened" }
  | { readonly said: "result"; readonly result: Result }
  | { readonly said: "failed"; readonly because: string };
