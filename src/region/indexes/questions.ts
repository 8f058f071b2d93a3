import { embeddingVersion } from "../../model/release.ts";
import { embeddingOf, embedTexts } from "../embed.ts";
import type { LocalIndex } from "../local-index.ts";
import { visibleTo } from "../visible.ts";
import type { World } from "../world.ts";
import type { ProofQuestion } from "./proof-question.ts";

const MOST = 16;

/** What a copy is asked to prove itself. Throws PEER_UNAVAILABLE when nothing embeds. */
export async function proofQuestions(
  world: World,
  { name }: LocalIndex,
): Promise<readonly ProofQuestion[]> {
  const { proofQuestions: given, golden, spec } = world.options;
  if (given !== undefined) return given(name);
  if (world.release?.body.embedding === undefined) return [];
  const wanted = Object.entries(spec.workflows).flatMap(([workflow, one]) => {
    if (one.retrieval?.index !== name) return [];
    const { topK } = one.retrieval;
    const least = one.golden?.minimum ?? 0;
    return (golden.get(workflow)?.questions ?? [])
      .filter(({ documents }) => documents.length > 0)
      .map((question) => ({ ...question, k: topK, least }));
  });
  return embedded(world, wanted.slice(0, MOST));
}

interface GoldenText {
  readonly question: string;
  readonly tenant: string;
  readonly documents: readonly string[];
  readonly k: number;
  readonly least: number;
}

async function embedded(world: World, wanted: readonly GoldenText[]): Promise<ProofQuestion[]> {
  const vectors = await embedTexts(
    world,
    wanted.map(({ question }) => question),
  );
  const embedding = embeddingVersion(embeddingOf(world));
  return wanted.map(({ tenant, documents, k, least }, at) => ({
    vector: Float32Array.from(vectors[at] ?? []),
    embedding,
    ...visibleTo(world, tenant),
    k,
    documents,
    least,
  }));
}
