import { z } from "zod";
import type { Signal, TargetSubject } from "../../model/signal.ts";
import { type Trouble, troubleSchema } from "../../model/trouble.ts";

const pageSchema = z.object({ troubles: z.array(troubleSchema) });

/** What a gateway's status page says of its targets; null when it says nothing of them. Total. */
export function readTroubles(page: string): readonly Trouble[] | null {
  try {
    const parsed = pageSchema.safeParse(JSON.parse(page));
    return parsed.success ? parsed.data.troubles : null;
  } catch {
    return null;
  }
}

/** One target as one look at its gateway's page shows it: the part of a signal that the look gives. */
export type TargetSight = Pick<Signal, "ok" | "detail" | "trouble"> & {
  readonly subject: TargetSubject;
};

/**
 * What a page shows: every target that is not well, and that those are well again which were not
 * at an earlier look. A target that never failed is not spoken of, so that an estate at rest costs
 * its reports nothing.
 */
export function sightsOf(
  gateway: string,
  troubles: readonly Trouble[],
  known: readonly TargetSubject[],
): readonly TargetSight[] {
  const bad = troubles.map((trouble) => troubledSight(gateway, trouble));
  const named = new Set(bad.map(({ subject }) => targetKey(subject)));
  const well = known.filter((subject) => !named.has(targetKey(subject)));
  return [...bad, ...well.map((subject) => ({ subject, ok: true, detail: "in use" }))];
}

function troubledSight(gateway: string, trouble: Trouble): TargetSight {
  const { target, region, because, ...rest } = trouble;
  return {
    subject: { region, part: "target", target, gateway },
    ok: false,
    detail: because,
    trouble: rest,
  };
}

/** Names a target of a gateway among all others. */
export function targetKey({ region, target, gateway }: TargetSubject): string {
  return JSON.stringify([region, target, gateway]);
}

/** A target as the newest look at its gateway saw it. */
export interface SeenTarget {
  readonly subject: TargetSubject;
  readonly observer: string;
  /** Null when it is well again. */
  readonly trouble: Trouble | null;
}

/**
 * Each target that anybody spoke of lately, by its newest signal: several observers look at one
 * gateway, and all repeat that gateway's word. What nobody has looked at for `freshMs` is unknown,
 * and left out. `now` is the clock that the signals are dated by.
 */
export function targetsSeen(
  signals: readonly Signal[],
  { now, freshMs }: { readonly now: number; readonly freshMs: number },
): SeenTarget[] {
  const newest = new Map<string, { signal: Signal; subject: TargetSubject }>();
  for (const signal of signals) {
    const { subject } = signal;
    if (subject.part !== "target" || now - signal.at > freshMs) continue;
    const known = newest.get(targetKey(subject));
    if (known === undefined || known.signal.at < signal.at) {
      newest.set(targetKey(subject), { signal, subject });
    }
  }
  return [...newest.values()]
    .map(({ signal, subject }) => seenTarget(signal, subject, now))
    .sort((a, b) => (targetKey(a.subject) < targetKey(b.subject) ? -1 : 1));
}

function seenTarget(signal: Signal, subject: TargetSubject, now: number): SeenTarget {
  const { observer, trouble, detail, at } = signal;
  const { target, region } = subject;
  if (signal.ok || trouble === undefined) return { subject, observer, trouble: null };
  const agoMs = Math.max(0, now - at);
  const { seenAgoMs } = trouble;
  return {
    subject,
    observer,
    trouble: {
      ...trouble,
      target,
      region,
      sinceMs: trouble.sinceMs + agoMs,
      ...(seenAgoMs === undefined ? {} : { seenAgoMs: seenAgoMs + agoMs }),
      because: detail,
    },
  };
}
