import type { Reflex, Span } from "../../model/reflex.ts";

/**
 * How long a target is waited for. What is normal differs by a thousand times between a small model
 * at hand and a large one that thinks, so a fixed bound is either an outage or a slow error.
 */
export interface Waiting {
  /** The target's own 95th percentile in ms; null while too little is known of it. */
  readonly p95Ms: number | null;
  /** The slowest 95th percentile of those that it is asked beside; null while nothing is known. */
  readonly peersP95Ms?: number | null;
  readonly span: Span;
  /** Times its own p95 that it may take. */
  readonly factor: number;
  /** Until the request's deadline, in ms. */
  readonly leftMs: number;
  /** Whether somebody else could be asked afterwards. */
  readonly others: boolean;
  /** Most targets look dead: then it is likelier that our idea of normal is wrong. */
  readonly distrusted: boolean;
}

/**
 * Of one that nothing is known of: some floors, but no more than some seconds above the floor, for
 * it may be dead, and its silence is the caller's. A floor of whole answers is long already.
 */
const COLD_TIMES = 5;
const COLD_MORE_MS = 8_000;
/** When our idea of what is normal is distrusted, it is stretched. */
const DISTRUSTED_TIMES = 4;

/** The bound in ms, never beyond the deadline. */
export function boundMs(waiting: Waiting): number {
  const { span, leftMs, others, distrusted } = waiting;
  // Giving up on the last one gains nothing: there is nobody to go to with the time saved.
  if (!others) return Math.max(0, Math.min(span.most, leftMs));
  const usual = usualBoundMs(waiting) * (distrusted ? DISTRUSTED_TIMES : 1);
  // Half, so that the next one gets as much time as this one had.
  return Math.max(0, Math.min(usual, span.most, leftMs / 2));
}

type Usual = Pick<Waiting, "p95Ms" | "peersP95Ms" | "span" | "factor">;

/** What is normal for it, times the factor, within the floor and the ceiling. */
export function usualBoundMs(waiting: Usual): number {
  const { p95Ms, span, factor } = waiting;
  const usual = p95Ms === null ? coldMs(waiting) : p95Ms * factor;
  return Math.min(span.most, Math.max(span.least, usual));
}

/**
 * Where those beside it are known to be slow, so may it rightly be: given up sooner, its work would
 * be paid for and thrown away. That they are fast says nothing of it.
 */
function coldMs({ peersP95Ms, span, factor }: Usual): number {
  const cold = Math.min(span.least * COLD_TIMES, span.least + COLD_MORE_MS);
  return Math.max(cold, (peersP95Ms ?? 0) * factor);
}

/** The spans of one request, with what this process was told to allow at most. */
export function spansOf(
  reflex: Reflex,
  most: { readonly firstEventMs: number; readonly idleMs: number },
): Pick<Reflex, "firstToken" | "stall" | "wholeAnswer"> {
  return {
    firstToken: atMost(reflex.firstToken, most.firstEventMs),
    stall: atMost(reflex.stall, most.idleMs),
    wholeAnswer: reflex.wholeAnswer,
  };
}

/**
 * Of a gateway that asks its own targets: given up when its first one is, it could never have shown
 * that its second one answers. With nobody else to ask it may take all the time there is.
 */
export function relaySpan({ least, most }: Span, others: boolean): Span {
  return { least: least * 2, most: others ? Math.max(most, least * 2) : Number.POSITIVE_INFINITY };
}

function atMost({ least, most }: Span, ceiling: number): Span {
  return { least: Math.min(least, ceiling), most: Math.min(most, ceiling) };
}
