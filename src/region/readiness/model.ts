import { z } from "zod";
import { messageOf } from "../../lib/errors.ts";
import type { RuntimeTarget } from "../../model/spec.ts";
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
import type { CheckContext, Judgement, ReadinessCheck } from "./check.ts";

/** The intended model is loaded, and behaves like it. */
export const modelCheck: ReadinessCheck = {
  name: "model",
  restMs: 15_000,
  applies: () => true,
  required: () => true,
  async check(context) {
    const { world, spec } = context;
    const release = world.options.release?.body;
    const embedding = spec.retrieval === undefined ? undefined : release?.embedding;
    const { targets } = world.regionSpec.components.runtime;
    const observed = await Promise.all(
      targets.map((target) => askTarget(context, target, embedding?.id ?? null)),
    );
    if (release === undefined) return judgeModel(null, observed);
    const { id, fingerprint } = release.model;
    return judgeModel({ id, fingerprint, embedding: embedding?.fingerprint ?? null }, observed);
  },
};

export interface ExpectedModel {
  readonly id: string;
  readonly fingerprint: string;
  /** null: the workflow needs no embeddings. */
  readonly embedding: string | null;
}

/** What one runtime target said of itself. */
export interface ObservedTarget {
  readonly name: string;
  readonly models: readonly string[];
  readonly fingerprint: string | null;
  readonly embedding: string | null;
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
  const evidence = `${names} has ${expected.id}, answers as ${expected.fingerprint}${and}${also}`;
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
  if (expected.embedding !== null && embedding !== null && embedding !== expected.embedding) {
    faults.push(`${name} embeds as ${embedding}, the release expects ${expected.embedding}`);
  }
  return faults;
}

const modelsSchema = z.object({ data: z.array(z.object({ id: z.string() })) });

async function askTarget(
  context: CheckContext,
  target: RuntimeTarget,
  embedding: string | null,
): Promise<ObservedTarget> {
  const { name } = target;
  try {
    const [models, fingerprint, vector] = await Promise.all([
      askModels(context, target),
      askFingerprint(context, target),
      embedding === null ? null : askEmbedding(context, target, embedding),
    ]);
    return { name, models, fingerprint, embedding: vector, failure: null };
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
