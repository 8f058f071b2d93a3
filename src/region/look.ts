import { readTroubles, sightsOf, targetKey } from "../core/signals/troubles.ts";
import type { Signal, Subject, TargetSubject } from "../model/signal.ts";
import type { RuntimeTarget } from "../model/spec.ts";
import type { ProbeFailure, ProbeResponse } from "../ports/probe.ts";
import { AGENT_PATHS, GATEWAY_PATHS } from "../wire/headers.ts";
import { doubt } from "./indexes/doubt.ts";
import type { Part } from "./ticker.ts";
import { atBase } from "./url.ts";
import type { World } from "./world.ts";

type Outcome = Pick<Signal, "ok" | "detail" | "latencyMs">;

/**
 * One part a subject: every region's gateway, what that says of its targets, its agent, and the own
 * region's runtime. Apart from each other, so that a black hole in one region does not thin out
 * what is seen of the others.
 */
export function lookParts(world: World): Part[] {
  const { spec, region: own } = world.options;
  const parts = Object.entries(spec.regions).flatMap(([region, { gateway, agent }]) => [
    healthPart(world, { region, part: "gateway" }, `http://${gateway}`),
    targetsPart(world, region, `http://${gateway}`),
    ...(agent === undefined
      ? []
      : [healthPart(world, { region, part: "agent" }, `http://${agent}`)]),
  ]);
  const { targets } = world.regionSpec.components.runtime;
  const runtime = { region: own, part: "runtime" } as const;
  return [...parts, lookPart(world, runtime, () => lookAtTargets(world, targets))];
}

function healthPart(world: World, subject: Subject, base: string): Part {
  return lookPart(world, subject, async () => {
    const answer = await exchange(world, atBase(base, AGENT_PATHS.health));
    return outcomeOf(answer, (status) => status >= 200 && status < 300);
  });
}

function lookPart(world: World, subject: Subject, look: () => Promise<Outcome>): Part {
  const { clock, spec } = world.options;
  return {
    name: `look at ${subject.part} of ${subject.region}`,
    everyMs: spec.detection.interval,
    work: async () => {
      const outcome = await look();
      world.ring.add({ subject, at: clock.monotonic(), ...outcome });
    },
  };
}

/**
 * What a gateway has learnt of its targets by asking them: nobody else sees a target that refuses
 * real requests and answers every probe. A gateway that does not say is no news of its targets.
 */
function targetsPart(world: World, region: string, gateway: string): Part {
  const { clock, spec } = world.options;
  const known = new Map<string, TargetSubject>();
  return {
    name: `look at the targets of ${region}'s gateway`,
    everyMs: spec.detection.interval,
    work: async () => {
      const answer = await exchange(world, atBase(gateway, GATEWAY_PATHS.status));
      const troubles = answer.answered ? readTroubles(answer.body) : null;
      if (troubles === null) return;
      if (region === world.options.region) doubt(world.indexes, troubles, clock.monotonic());
      for (const sight of sightsOf(region, troubles, [...known.values()])) {
        known.set(targetKey(sight.subject), sight.subject);
        world.ring.add({ ...sight, at: clock.monotonic(), latencyMs: answer.tookMs });
      }
    },
  };
}

/** A region's runtime answers when one of its targets does: the gateway goes to that one. */
async function lookAtTargets(world: World, targets: readonly RuntimeTarget[]): Promise<Outcome> {
  const outcomes = await Promise.all(
    targets.map(async ({ name, url }) => {
      const answer = await exchange(world, atBase(url, "/health"));
      // Below 500 something answers: hosted providers know no /health and say 404.
      const outcome = outcomeOf(answer, (status) => status < 500);
      return { ...outcome, detail: `${name}: ${outcome.detail}` };
    }),
  );
  const living = outcomes.filter(({ ok }) => ok);
  const latencies = (living.length > 0 ? living : outcomes).map(({ latencyMs }) => latencyMs);
  return {
    ok: living.length > 0,
    detail: outcomes.map(({ detail }) => detail).join("; "),
    latencyMs: Math.min(...latencies),
  };
}

function exchange(world: World, url: string): Promise<ProbeResponse | ProbeFailure> {
  const { probe, spec } = world.options;
  return probe.exchange({ url, timeoutMs: spec.detection.timeout });
}

function outcomeOf(
  answer: ProbeResponse | ProbeFailure,
  isGood: (status: number) => boolean,
): Outcome {
  if (!answer.answered) return { ok: false, detail: answer.reason, latencyMs: answer.tookMs };
  const detail = `${answer.status} in ${Math.round(answer.tookMs)} ms`;
  return { ok: isGood(answer.status), detail, latencyMs: answer.tookMs };
}
