import { z } from "zod";
import { messageOf } from "../../lib/errors.ts";
import type { Behaviour } from "../../model/behaviour.ts";
import type { RuntimeTarget } from "../../model/spec.ts";
import type { BehaviourDifference } from "../../wire/behaviour.ts";
import {
  EMBEDDING_PROBE_TEXT,
  embeddingFingerprint,
  FINGERPRINT_PROMPT,
  fingerprintOf,
} from "../../wire/fingerprint.ts";
import { contentOf } from "../ask-gateway.ts";
import { requestVectors, targetHeaders } from "../embed.ts";
import { askJson } from "../peer.ts";
import { atBase } from "../url.ts";
import { differenceOf } from "./behaviour.ts";
import type { CheckContext, Judgement, ReadinessCheck } from "./check.ts";

/** The intended model is loaded, and behaves like it. */
export const modelCheck: ReadinessCheck = {
  name: "model",
  restMs: 15_000,
  applies: () => true,
  required: () => true,
  async check(context) {
    const { world, spec } = context;
    const release = world.release?.body;
    const embedding = spec.retrieval === undefined ? undefined : release?.embedding;
    const { targets } = world.regionSpec.components.runtime;
    const observed = await Promise.all(
      targets.map((target) => askTarget(context, target, embedding?.id ?? null)),
    );
    if (release === undefined) return judgeModel(null, observed);
    const { id, fingerprint, behaviour = null } = release.model;
    const expected = { id, fingerprint, embedding: embedding?.fingerprint ?? null, behaviour };
    return judgeModel(expected, observed);
  },
};

export interface ExpectedModel {
  readonly id: string;
  readonly fingerprint: string;
  /** null: the workflow needs no embeddings. */
  readonly embedding: string | null;
  /** A good copy's log-probabilities; null when the release has none. */
  readonly behaviour?: Behaviour | null;
}

/** What one runtime target said of itself. */
export interface ObservedTarget {
  readonly name: string;
  readonly models: readonly string[];
  readonly fingerprint: string | null;
  readonly embedding: string | null;
  /** Its log-probabilities beside those of a good copy; null when nobody compared them. */
  readonly behaviour?: BehaviourDifference | null;
  /** Why it did not answer; null when it did. */
  readonly failure: string | null;
}

/**
 * A target that is away costs nothing as long as another one answers: the gateway goes round it.
 * One that answers wrongly fails the check, for the gateway would believe it.
 */
export function judgeModel(
  expected: ExpectedModel | null,
  observed: readonly ObservedTarget[],
): Judgement {
  const answered = observed.filter(({ failure }) => failure === null);
  const away = observed.flatMap(({ name, failure }) =>
    failure === null ? [] : [`${name}: ${failure}`],
  );
  const also = away.length === 0 ? "" : `; away: ${away.join("; ")}`;
  if (answered.length === 0) {
    return { pass: false, evidence: `no runtime target answers: ${away.join("; ")}` };
  }
  const names = answered.map(({ name }) => name).join(", ");
  if (expected === null) {
    return {
      pass: true,
      evidence: `${names} answers; there is no release to compare it with${also}`,
    };
  }
  const faults = answered.flatMap((target) => faultsOf(expected, target));
  if (faults.length > 0) return { pass: false, evidence: faults.join("; ") };
  const needsEmbedding = expected.embedding !== null;
  if (needsEmbedding && answered.every(({ embedding }) => embedding === null)) {
    return { pass: false, evidence: `none of ${names} embeds${also}` };
  }
  const and = needsEmbedding ? ` and embeds as ${expected.embedding}` : "";
  const closely = answered.map((target) => closeness(expected, target)).join("");
  const evidence = `${names} has ${expected.id}, answers as ${expected.fingerprint}${closely}${and}${also}`;
  return { pass: true, evidence };
}

function faultsOf(expected: ExpectedModel, target: ObservedTarget): string[] {
  const { name, models, fingerprint, embedding } = target;
  const faults: string[] = [];
  if (!models.includes(expected.id)) {
    faults.push(`${name} has ${models.join(", ") || "no model"}, not ${expected.id}`);
  }
  if (fingerprint !== expected.fingerprint) {
    faults.push(`${name} answers as ${fingerprint}, the release expects ${expected.fingerprint}`);
  }
  const other = behaviourFault(expected, target);
  if (other !== null) faults.push(other);
  if (expected.embedding !== null && embedding !== null && embedding !== expected.embedding) {
    faults.push(`${name} embeds as ${embedding}, the release expects ${expected.embedding}`);
  }
  return faults;
}

/**
 * The right words are not enough: a quantized copy, or another fine-tuning of the same model, says
 * them as well for a while. A server that tells no log-probabilities is judged by its words alone,
 * and the evidence says so: not to be able to look closely is no proof of another model.
 */
function behaviourFault({ behaviour }: ExpectedModel, target: ObservedTarget): string | null {
  const { name, behaviour: found } = target;
  if (behaviour == null || found == null) return null;
  const [apart] = found.apart;
  if (apart !== undefined) {
    return `${name} says ${JSON.stringify(apart.said)} where the release's model surely says ${JSON.stringify(apart.recorded)}, asked ${JSON.stringify(apart.ask)}: other weights`;
  }
  if (found.distance === null || found.distance <= behaviour.tolerance) return null;
  return `${name} is not the release's model, or not stored as it was: its log-probabilities differ by ${found.distance.toFixed(3)}, ${behaviour.tolerance} is allowed`;
}

function closeness({ behaviour }: ExpectedModel, { behaviour: found }: ObservedTarget): string {
  if (behaviour == null || found == null) return "";
  return found.distance === null
    ? " (by its words alone: it tells no log-probabilities)"
    : ` (log-probabilities within ${found.distance.toFixed(3)} of ${behaviour.tolerance})`;
}

const modelsSchema = z.object({ data: z.array(z.object({ id: z.string() })) });

async function askTarget(
  context: CheckContext,
  target: RuntimeTarget,
  embedding: string | null,
): Promise<ObservedTarget> {
  const { name } = target;
  try {
    const [models, fingerprint, vector, behaviour] = await Promise.all([
      askModels(context, target),
      askFingerprint(context, target),
      embedding === null ? null : askEmbedding(context, target, embedding),
      differenceOf(context, target),
    ]);
    return { name, models, fingerprint, embedding: vector, behaviour, failure: null };
  } catch (error) {
    return { name, models: [], fingerprint: null, embedding: null, failure: messageOf(error) };
  }
}

async function askModels({ world, askMs }: CheckContext, target: RuntimeTarget) {
  const { data } = await askJson(world.options.probe, {
    url: atBase(target.url, "/v1/models"),
    headers: targetHeaders(world, target),
    timeoutMs: askMs,
    schema: modelsSchema,
    who: target.name,
  });
  return data.map(({ id }) => id);
}

async function askFingerprint({ world, askMs }: CheckContext, target: RuntimeTarget) {
  const answer = await askJson(world.options.probe, {
    url: atBase(target.url, "/v1/chat/completions"),
    method: "POST",
    headers: targetHeaders(world, target),
    body: { model: target.model, messages: FINGERPRINT_PROMPT, temperature: 0 },
    timeoutMs: askMs,
    schema: z.unknown(),
    who: target.name,
  });
  const text = contentOf(JSON.stringify(answer));
  return text === null ? null : fingerprintOf(text);
}

/** null: this target does not embed, which another one may do for it. */
async function askEmbedding({ world, askMs }: CheckContext, target: RuntimeTarget, model: string) {
  const asked = requestVectors(world, target, model, [EMBEDDING_PROBE_TEXT], askMs);
  const [vector] = await asked.catch(() => []);
  return vector === undefined ? null : embeddingFingerprint(vector);
}
