import type { Signal, Subject } from "../../model/signal.ts";
import type { Spec } from "../../model/spec.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Probe } from "../../ports/probe.ts";

export interface Probing {
  /** Starts every probe that is due. Waits for none: a dead region costs its time-out, not ours. */
  tick(): void;
  /** What this controller saw within the horizon, oldest first. */
  signals(): readonly Signal[];
}

interface Target {
  readonly subject: Subject;
  readonly url: string;
  dueAt: number;
  underWay: boolean;
}

/** Both roles answer it without a key, and without asking anybody else. */
const HEALTH_PATH = "/healthz";

/**
 * The controller's own eyes: every region's gateway and agent, each as often as the spec says, at
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
    const ok = answer.answered && answer.status >= 200 && answer.status < 300;
    const took = Math.round(answer.tookMs);
    seq += 1;
    seen.push({
      observer,
      observerRegion: null,
      seq,
      subject: target.subject,
      at: clock.monotonic(),
      ok,
      detail: answer.answered ? `${answer.status} in ${took} ms` : answer.reason,
      latencyMs: answer.tookMs,
    });
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
    target(region, "gateway", gateway),
    ...(agent === undefined ? [] : [target(region, "agent", agent)]),
  ]);
}

function target(region: string, part: "gateway" | "agent", address: string): Target {
  const url = `http://${address}${HEALTH_PATH}`;
  return { subject: { region, part }, url, dueAt: Number.NEGATIVE_INFINITY, underWay: false };
}
