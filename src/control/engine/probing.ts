import { readTroubles, sightsOf, targetKey } from "../../core/signals/troubles.ts";
import type { Signal, Subject, TargetSubject } from "../../model/signal.ts";
import type { Spec } from "../../model/spec.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Probe, ProbeFailure, ProbeResponse } from "../../ports/probe.ts";

export interface Probing {
  /** Starts every probe that is due. Waits for none: a dead region costs its time-out, not ours. */
  tick(): void;
  /** What this controller saw within the horizon, oldest first. */
  signals(): readonly Signal[];
}

type Sight = Pick<Signal, "subject" | "ok" | "detail" | "trouble">;

interface Target {
  readonly url: string;
  /** What an answer shows. */
  readonly see: (answer: ProbeResponse | ProbeFailure) => readonly Sight[];
  dueAt: number;
  underWay: boolean;
}

/** Both roles answer it without a key, and without asking anybody else. */
const HEALTH_PATH = "/healthz";
/** Where a gateway says what it has learnt of its targets. */
const STATUS_PATH = "/tideover/v1/status";

/**
 * The controller's own eyes: every region's gateway, its word on its targets, and its agent, each as often as the spec says, at
 * most one probe under way for each. It stands outside every region (`observerRegion` null).
 */
export function createProbing(options: {
  readonly id: string;
  readonly spec: Spec;
  readonly probe: Probe;
  readonly clock: Clock;
  readonly horizonMs: number;
}): Probing {
  const { spec, probe, clock, horizonMs } = options;
  const observer = `controller:${options.id}`;
  const { interval, timeout } = spec.detection;
  const targets = targetsOf(spec);
  let seen: Signal[] = [];
  let seq = 0;

  async function look(target: Target): Promise<void> {
    const answer = await probe.exchange({ url: target.url, timeoutMs: timeout });
    target.underWay = false;
    const { tookMs: latencyMs } = answer;
    for (const sight of target.see(answer)) {
      seq += 1;
      seen.push({
        observer,
        observerRegion: null,
        seq,
        ...sight,
        at: clock.monotonic(),
        latencyMs,
      });
    }
  }

  return {
    tick() {
      const now = clock.monotonic();
      for (const target of targets) {
        if (target.underWay || now < target.dueAt) continue;
        target.underWay = true;
        target.dueAt = now + interval;
        void look(target);
      }
    },
    signals() {
      const oldest = clock.monotonic() - horizonMs;
      seen = seen.filter(({ at }) => at >= oldest);
      return seen;
    },
  };
}

function targetsOf(spec: Spec): Target[] {
  return Object.entries(spec.regions).flatMap(([region, { gateway, agent }]) => [
    fresh(`http://${gateway}${HEALTH_PATH}`, healthOf({ region, part: "gateway" })),
    fresh(`http://${gateway}${STATUS_PATH}`, targetsOfGateway(region)),
    ...(agent === undefined
      ? []
      : [fresh(`http://${agent}${HEALTH_PATH}`, healthOf({ region, part: "agent" }))]),
  ]);
}

function fresh(url: string, see: Target["see"]): Target {
  return { url, see, dueAt: Number.NEGATIVE_INFINITY, underWay: false };
}

function healthOf(subject: Subject): Target["see"] {
  return (answer) => {
    if (!answer.answered) return [{ subject, ok: false, detail: answer.reason }];
    const { status, tookMs } = answer;
    const ok = status >= 200 && status < 300;
    return [{ subject, ok, detail: `${status} in ${Math.round(tookMs)} ms` }];
  };
}

/** A gateway that does not say is no news of its targets: that it is silent, its health tells. */
function targetsOfGateway(region: string): Target["see"] {
  const known = new Map<string, TargetSubject>();
  return (answer) => {
    const troubles = answer.answered ? readTroubles(answer.body) : null;
    if (troubles === null) return [];
    const sights = sightsOf(region, troubles, [...known.values()]);
    for (const { subject } of sights) known.set(targetKey(subject), subject);
    return sights;
  };
}
