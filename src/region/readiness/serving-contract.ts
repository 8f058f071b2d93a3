import { z } from "zod";
import { type ContractFinding, compareContract } from "../../core/release/contract.ts";
import {
  type RuntimeFacts,
  runtimeFactsSchema,
  type ServingContract,
} from "../../model/serving.ts";
import type { RuntimeTarget } from "../../model/spec.ts";
import { targetHeaders } from "../embed.ts";
import { askJson } from "../peer.ts";
import { atBase } from "../url.ts";
import type { CheckContext, Judgement, ReadinessCheck } from "./check.ts";

/** The runtime is what the release was proven on: engine, tokenizer, precision, memory. */
export const servingContractCheck: ReadinessCheck = {
  name: "serving-contract",
  restMs: 15_000,
  applies: ({ world }) => world.release?.body.contract !== undefined,
  required: () => true,
  async check(context) {
    const { world } = context;
    const { targets } = world.regionSpec.components.runtime;
    const facts = await Promise.all(
      targets.map(async (target) => ({
        name: target.name,
        facts: await factsOf(askingAt(context, target), target.model),
      })),
    );
    return judgeContract(world.release?.body.contract ?? null, facts);
  },
};

/** What one target says it is. */
export interface KnownTarget {
  readonly name: string;
  /** null: it does not answer at all; that is for the model check to judge. */
  readonly facts: RuntimeFacts | null;
}

/**
 * A point that is broken in one target fails the region: the gateway would send requests there.
 * What a target does not say of itself is told and not held against it, since a runtime of others
 * cannot be made to say it.
 */
export function judgeContract(
  contract: ServingContract | null,
  targets: readonly KnownTarget[],
): Judgement {
  if (contract === null) return { pass: true, evidence: "the release has no serving contract" };
  const found = targets.flatMap(({ name, facts }) =>
    facts === null ? [] : compareContract(contract, facts).map((one) => ({ ...one, name })),
  );
  if (found.length === 0) return { pass: true, evidence: "nothing to compare: no target answers" };
  const broken = found.filter(({ state }) => state === "broken");
  if (broken.length > 0) {
    return { pass: false, evidence: broken.map((one) => `${one.name}: ${one.because}`).join("; ") };
  }
  return {
    pass: true,
    evidence: `met: ${points(found, "met")}; not known: ${points(found, "unknown")}`,
  };
}

function points(found: readonly ContractFinding[], state: ContractFinding["state"]): string {
  const names = found.filter((one) => one.state === state).map(({ point }) => point);
  return [...new Set(names)].join(", ") || "nothing";
}

/** JSON of one path of a target; rejects when there is none. */
export type Ask = (path: string) => Promise<unknown>;

const modelsSchema = z.object({
  data: z.array(z.object({ id: z.string(), max_model_len: z.number().nullish() })),
});
const versionSchema = z.object({ version: z.string() });

/**
 * What a runtime says of itself: at `/tideover/runtime`, or else what vLLM says in its own way.
 * null when not even the list of its models comes.
 */
export async function factsOf(ask: Ask, model: string): Promise<RuntimeFacts | null> {
  const own = runtimeFactsSchema.safeParse(await said(ask, "/tideover/runtime"));
  if (own.success) return own.data;
  const models = modelsSchema.safeParse(await said(ask, "/v1/models"));
  if (!models.success) return null;
  const version = versionSchema.safeParse(await said(ask, "/version"));
  return {
    ...NOTHING_KNOWN,
    engine: version.success ? { name: "vllm", version: version.data.version } : null,
    contextTokens: models.data.data.find(({ id }) => id === model)?.max_model_len ?? null,
  };
}

const NOTHING_KNOWN: RuntimeFacts = {
  engine: null,
  tokenizer: null,
  chatTemplate: null,
  precision: null,
  contextTokens: null,
  gpu: null,
  tensorParallel: null,
};

/** undefined: nothing that is understood. Which of the ways a runtime has is found by trying. */
function said(ask: Ask, path: string): Promise<unknown> {
  return ask(path).catch(() => undefined);
}

function askingAt({ world, askMs }: CheckContext, target: RuntimeTarget): Ask {
  return (path) =>
    askJson(world.options.probe, {
      url: atBase(target.url, path),
      headers: targetHeaders(world, target),
      timeoutMs: askMs,
      schema: z.unknown(),
      who: target.name,
    });
}
