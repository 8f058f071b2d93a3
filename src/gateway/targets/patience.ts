import type { Reflex, Span } from "../../model/reflex.ts";

/**
 * How long a target is waited for. What is normal differs by a thousand times between a small model
 * at hand and a large one that thinks, so a fixed bound is either an outage or a slow error.
 */
export interface Waiting {
  /** The target's own 95th percentile in ms; null while too little is known of it. */
  readonly p95Ms: number | null;
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

/** Of one that nothing is known of: neither a client's time-out nor the end of a slow model. */
const COLD_TIMES = 5;
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

/** What is normal for it, times the factor, within the floor and the ceiling. */
export function usualBoundMs({
  p95Ms,
  span,
  factor,
}: Pick<Waiting, "p95Ms" | "span" | "factor">): number {
  const usual = p95Ms === null ? span.least * COLD_TIMES : p95Ms * factor;
  return Math.min(span.most, Math.max(span.least, usual));
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
