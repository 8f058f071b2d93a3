import { z } from "zod";
import type { Behaviour } from "../../model/behaviour.ts";
import type { RuntimeTarget } from "../../model/spec.ts";
import {
  type BehaviourDifference,
  type BehaviourToken,
  behaviourRequest,
  compareBehaviour,
  readBehaviour,
} from "../../wire/behaviour.ts";
import { eachLimited } from "../each-limited.ts";
import { targetHeaders } from "../embed.ts";
import { askJson } from "../peer.ts";
import { atBase } from "../url.ts";
import type { CheckContext } from "./check.ts";

/** Weights do not change while a server runs; its restart is seen by the other fingerprint first. */
const REST_MS = 5 * 60_000;
const AT_ONCE = 2;

/**
 * How far a target's log-probabilities are from those of the release's good copy; null when the
 * release has none to compare with. Throws PEER_UNAVAILABLE when the target does not answer.
 */
export async function differenceOf(
  context: CheckContext,
  target: RuntimeTarget,
): Promise<BehaviourDifference | null> {
  const { world, thorough } = context;
  const { release } = world;
  const { clock } = world.options;
  const behaviour = release?.body.model.behaviour;
  if (release === null || behaviour === undefined) return null;
  const known = world.differences.get(target.name);
  const isFresh = known?.release === release.digest && clock.monotonic() - known.at < REST_MS;
  // Only what was good is believed for a while: the end of a fault must be seen at once.
  if (!thorough && isFresh && isWithin(behaviour, known.difference)) return known.difference;
  const difference = compareBehaviour(behaviour, await askAll(context, target, behaviour));
  world.differences.set(target.name, {
    release: release.digest,
    difference,
    at: clock.monotonic(),
  });
  return difference;
}

function isWithin({ tolerance }: Behaviour, { distance, apart }: BehaviourDifference): boolean {
  return apart.length === 0 && (distance === null || distance <= tolerance);
}

async function askAll(
  context: CheckContext,
  target: RuntimeTarget,
  { answers }: Behaviour,
): Promise<Map<string, readonly BehaviourToken[]>> {
  const observed = await eachLimited(answers, AT_ONCE, async ({ ask }) => {
    return [ask, await askOne(context, target, ask)] as const;
  });
  return new Map(observed);
}

async function askOne({ world, askMs }: CheckContext, target: RuntimeTarget, ask: string) {
  const answer = await askJson(world.options.probe, {
    url: atBase(target.url, "/v1/chat/completions"),
    method: "POST",
    headers: targetHeaders(world, target),
    body: behaviourRequest(target.model, ask),
    timeoutMs: askMs,
    schema: z.unknown(),
    who: target.name,
  });
  return readBehaviour(answer);
}
