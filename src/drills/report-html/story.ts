import type { ReportContent, SplitSeconds, TimelineEvent } from "../../core/evidence/report.ts";

/** From and to in seconds on the timeline's own scale. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** An event on the timeline's scale: 0 is the fault, or the report's start when there was none. */
export interface PlacedEvent {
  readonly seconds: number;
  readonly event: TimelineEvent;
}

export const PHASES = ["detect", "decide", "verify", "open", "propagate"] as const;
export type Phase = (typeof PHASES)[number];

/** What the timeline tells, before anything of it is drawn. */
export interface Story {
  readonly zero: "fault" | "start";
  readonly events: readonly PlacedEvent[];
  /** Everything that has a time; never shorter than one second. */
  readonly whole: Span;
  /** From the fault to proven traffic; null when there was no fault or no recovery. */
  readonly recovery: Span | null;
  /** The recovery's phases one after another; empty when there is no recovery. */
  readonly phases: readonly (Span & { readonly phase: Phase })[];
  readonly failback: Span | null;
  /** The broken lane, from the fault until something is noted of its return. */
  readonly outage: (Span & { readonly lane: string }) | null;
}

export function storyOf(content: ReportContent): Story {
  const { timeline, actual, split } = content;
  const fault = timeline.find((event) => event.kind === "fault");
  const zeroAt = finite(fault?.offsetSeconds) ?? 0;
  const events = timeline.map((event) => ({ seconds: event.offsetSeconds - zeroAt, event }));
  const recovery = fault && actual.rtaSeconds > 0 ? { from: 0, to: actual.rtaSeconds } : null;
  const whole = wholeSpan(events, recovery);
  return {
    zero: fault ? "fault" : "start",
    events,
    whole,
    recovery,
    phases: recovery ? phasesOf(split) : [],
    failback: failbackSpan(content, events),
    outage: fault ? outageOf(fault.lane, events, whole) : null,
  };
}

export function phaseSeconds(split: SplitSeconds, phase: Phase): number {
  return split[`${phase}Seconds`];
}

function wholeSpan(events: readonly PlacedEvent[], recovery: Span | null): Span {
  const times = events.map(({ seconds }) => seconds).filter(Number.isFinite);
  // By reduce: a spread of a very long timeline would overflow the stack.
  const from = times.reduce((least, one) => Math.min(least, one), 0);
  const to = times.reduce((most, one) => Math.max(most, one), finite(recovery?.to) ?? 0);
  // One event, or several in one moment, would otherwise give a scale without length.
  return { from, to: Math.max(to, from + 1) };
}

function phasesOf(split: SplitSeconds): Story["phases"] {
  let from = 0;
  return PHASES.map((phase) => {
    const span = { phase, from, to: from + (finite(phaseSeconds(split, phase)) ?? 0) };
    from = span.to;
    return span;
  });
}

/** It ends with the last plan; before that it took as long as the report says. */
function failbackSpan({ failback }: ReportContent, events: readonly PlacedEvent[]): Span | null {
  const took = finite(failback.tookSeconds);
  const end = events.findLast(
    ({ event }) => event.kind === "plan" && event.text.includes(" is completed: "),
  );
  if (took === null || took <= 0 || !end || !Number.isFinite(end.seconds)) return null;
  return { from: end.seconds - took, to: end.seconds };
}

function outageOf(lane: string, events: readonly PlacedEvent[], whole: Span): Story["outage"] {
  const back = events.find(
    ({ seconds, event }) => event.kind === "return" && event.lane === lane && seconds > 0,
  );
  return { lane, from: 0, to: back?.seconds ?? whole.to };
}

function finite(value: number | null | undefined): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
