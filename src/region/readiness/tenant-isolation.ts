import { sentences } from "../../lib/text.ts";
import type { Canary } from "../../model/golden.ts";
import type { TenantName } from "../../model/ids.ts";
import { embeddingVersion } from "../../model/release.ts";
import { questionFor } from "../canary.ts";
import { embeddingOf, embedTexts } from "../embed.ts";
import { visibleTo } from "../visible.ts";
import {
  type CheckContext,
  type Judgement,
  needsIndex,
  type ReadinessCheck,
  WITHOUT_RETRIEVAL,
} from "./check.ts";
import { type Observed, observeAnswer } from "./observe-answer.ts";

/** A document of one tenant is never shown to another, and is shown to its own. */
export const tenantIsolationCheck: ReadinessCheck = {
  name: "tenant-isolation",
  restMs: 15_000,
  applies: ({ spec }) => spec.retrieval !== undefined,
  required: needsIndex,
  async check(context) {
    const pairs = pairsOf(context);
    return judgeIsolation(await Promise.all(pairs.map((pair) => observe(context, pair))));
  },
};

/** One canary asked for by its own tenant and by another one. */
export interface ObservedPair {
  readonly canary: Canary;
  readonly other: TenantName;
  /** Text of the document as its own tenant's search gave it; null when it was not found. */
  readonly document: string | null;
  /** Ids that the other tenant's search gave. */
  readonly otherHits: readonly string[];
  readonly own: Observed;
  readonly others: Observed;
}

export function judgeIsolation(pairs: readonly ObservedPair[]): Judgement {
  if (pairs.length === 0) {
    const evidence = "not proven: it takes a canary document and the keys of two tenants";
    return { pass: false, evidence, required: false };
  }
  const leaks = pairs.flatMap(leaksOf);
  // Required whatever the workflow can do without: no mode may show one tenant another's documents.
  if (leaks.length > 0) return { pass: false, evidence: leaks.join("; "), required: true };
  const blind = pairs.flatMap(blindnessOf);
  if (blind.length > 0) return { pass: false, evidence: blind.join("; ") };
  const shown = pairs.map(
    ({ canary, other }) => `${canary.document} is ${canary.tenant}'s and hidden from ${other}`,
  );
  return { pass: true, evidence: shown.join("; ") };
}

function leaksOf({ canary, other, document, otherHits, others }: ObservedPair): string[] {
  const { document: id, tenant } = canary;
  const leaks: string[] = [];
  if (otherHits.includes(id))
    leaks.push(`the index shows ${other} the document ${id} of ${tenant}`);
  if (others.sources?.includes(id))
    leaks.push(`the gateway gave ${id} of ${tenant} to ${other}'s model`);
  if (quotes(others.text, document)) leaks.push(`an answer to ${other} quotes ${id} of ${tenant}`);
  return leaks;
}

/** Too short to be said by chance. */
const TELLING_LENGTH = 25;

/**
 * Whether an answer says any sentence of a document. The marker alone proves nothing: a model may
 * repeat it from the question, to say that it knows nothing of it.
 */
export function quotes(answer: string | null, document: string | null): boolean {
  if (answer === null || document === null) return false;
  const said = flat(answer);
  return sentences(document)
    .map(flat)
    .some((sentence) => sentence.length >= TELLING_LENGTH && said.includes(sentence));
}

function flat(text: string): string {
  return text.replace(/\s+/g, " ").trim().toLowerCase();
}

/** What keeps the absence of a leak from meaning anything. */
function blindnessOf({ canary, other, document, own, others }: ObservedPair): string[] {
  const { document: id, tenant } = canary;
  const proves = "so that others do not see it proves nothing";
  if (document === null) return [`${tenant} does not find its own ${id}, ${proves}`];
  for (const [who, chat] of [
    [tenant, own],
    [other, others],
  ] as const) {
    if (chat.failure !== null) return [`${who} was not answered: ${chat.failure}`];
    if (chat.sources === null) return [`there is no audit record of ${who}'s question, ${proves}`];
  }
  if (own.mode === WITHOUT_RETRIEVAL)
    return [`${tenant} was answered without the index, ${proves}`];
  return own.sources?.includes(id) ? [] : [`${tenant} is not given its own ${id}, ${proves}`];
}

interface Pair {
  readonly canary: Canary;
  readonly other: TenantName;
}

/** All canaries for a plan; otherwise one a run, in turn. The other tenant changes as well. */
function pairsOf({ world, golden, thorough, turn }: CheckContext): Pair[] {
  const tenants = [...world.options.canaryKeys.keys()];
  const canaries = (golden?.canaries ?? []).filter(({ tenant }) => tenants.includes(tenant));
  const pairs = canaries.flatMap((canary) => {
    const strangers = tenants.filter((tenant) => tenant !== canary.tenant);
    const other = strangers[turn % Math.max(1, strangers.length)];
    return other === undefined ? [] : [{ canary, other }];
  });
  const one = pairs[turn % Math.max(1, pairs.length)];
  if (thorough) return pairs;
  return one === undefined ? [] : [one];
}

async function observe(context: CheckContext, { canary, other }: Pair): Promise<ObservedPair> {
  const [found, own, others] = await Promise.all([
    search(context, canary, other),
    observeAnswer(context, canary.tenant, questionFor(canary.phrase)),
    observeAnswer(context, other, questionFor(canary.phrase)),
  ]);
  return { canary, other, ...found, own, others };
}

/** The same call as the gateway's retrieval, with only the tenant between the two. */
async function search({ world, spec }: CheckContext, canary: Canary, other: TenantName) {
  const { store } = world.index(spec.retrieval?.index ?? "");
  const [numbers = []] = await embedTexts(world, [questionFor(canary.phrase)]);
  const embedding = embeddingVersion(embeddingOf(world));
  const common = { vector: Float32Array.from(numbers), embedding, k: spec.retrieval?.topK ?? 1 };
  const ownHits = await store.search({ ...common, ...visibleTo(world, canary.tenant) });
  const otherHits = await store.search({ ...common, ...visibleTo(world, other) });
  return {
    document: ownHits.find(({ id }) => id === canary.document)?.text ?? null,
    otherHits: otherHits.map(({ id }) => id),
  };
}
