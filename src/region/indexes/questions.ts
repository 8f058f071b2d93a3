import { floatsOf } from "../../core/reconcile/entry.ts";
import type { VectorModel } from "../../model/vectors.ts";
import type { LocalIndex } from "../local-index.ts";
import { visibleTo } from "../visible.ts";
import { activeModel, embedAs } from "../whole-writes.ts";
import type { World } from "../world.ts";
import type { ProofQuestion } from "./proof-question.ts";

const MOST = 16;

/**
 * What a copy is asked to prove itself, in the release's embedding version or in this one. Throws
 * PEER_UNAVAILABLE when nothing embeds.
 */
export async function proofQuestions(
  world: World,
  { name }: LocalIndex,
  wanted?: VectorModel,
): Promise<readonly ProofQuestion[]> {
  const { proofQuestions: given, golden, spec } = world.options;
  const model = wanted ?? activeModel(world);
  if (given !== undefined) return given(name, model?.version);
  if (model === null) return [];
  const texts = Object.entries(spec.workflows).flatMap(([workflow, one]) => {
    if (one.retrieval?.index !== name) return [];
    const { topK } = one.retrieval;
    const least = one.golden?.minimum ?? 0;
    return (golden.get(workflow)?.questions ?? [])
      .filter(({ documents }) => documents.length > 0)
      .map((question) => ({ ...question, k: topK, least }));
  });
  return embedded(world, model, texts.slice(0, MOST));
}

interface GoldenText {
  readonly question: string;
  readonly tenant: string;
  readonly documents: readonly string[];
  readonly k: number;
  readonly least: number;
}

async function embedded(
  world: World,
  model: VectorModel,
  wanted: readonly GoldenText[],
): Promise<ProofQuestion[]> {
  const texts = wanted.map(({ question }) => question);
  const vectors = await embedAs(world, texts, model);
  return wanted.map(({ tenant, documents, k, least }, at) => ({
    vector: floatsOf(vectors[at]?.bytes ?? new Uint8Array(0)),
    embedding: model.version,
    ...visibleTo(world, tenant),
    k,
    documents,
    least,
  }));
}
