import type { SeenCanary } from "../../core/reconcile/acceptance.ts";
import type { Share } from "../../core/reconcile/diagnosis.ts";
import { floatsOf } from "../../core/reconcile/entry.ts";
import { answeredVersions, vectorsOf } from "../../core/reconcile/vectors.ts";
import { TideoverError } from "../../lib/errors.ts";
import type { StoredRecord } from "../../model/record.ts";
import type { VectorModel } from "../../model/vectors.ts";
import type { IndexQuery } from "../../ports/index.ts";
import type { LocalIndex } from "../local-index.ts";
import { activeModel } from "../whole-writes.ts";
import type { World } from "../world.ts";
import type { IndexPeer } from "./ask.ts";
import type { ProofQuestion } from "./proof-question.ts";
import { proofQuestions } from "./questions.ts";

/** What a copy's own searches show of it. null: could not be asked, or would say nothing. */
export interface Proofs {
  readonly questions: readonly ProofQuestion[];
  readonly golden: Share | null;
  readonly recall: Share | null;
  readonly canaries: readonly SeenCanary[];
  readonly leaks: readonly { readonly document: string; readonly to: string }[];
  readonly hidden: readonly { readonly document: string; readonly from: string }[];
}

export const NO_PROOFS: Proofs = {
  questions: [],
  golden: null,
  recall: null,
  canaries: [],
  leaks: [],
  hidden: [],
};

/** Fewer say nothing: their documents may well have been deleted. */
const LEAST_QUESTIONS = 4;
/** Records whose own vectors are searched for, beside the questions. */
const SELF_QUERIES = 16;
const RECALL_K = 10;
/** Share of an index that may be written while its recall is measured. */
const MOST_WRITTEN = 0.01;
/** Of the owner's results on the golden questions, this share must be ours: ties may fall otherwise. */
const LEAST_OVERLAP = 0.9;

/**
 * Searches as the region's own proof: a quarantined copy answers, a caller's never does. `model`: in
 * this embedding version; absent: questions in the release's, and records in all that are answered.
 */
export async function proveBySearch(
  world: World,
  local: LocalIndex,
  model?: VectorModel,
): Promise<Proofs> {
  const questions = await proofQuestions(world, local, model).catch(() => []);
  const versions = model === undefined ? await askedVersions(world, local) : [model.version];
  const canaries = await seenCanaries(world, local, versions);
  return {
    questions,
    golden: await unlessDamaged(() => goldenShare(local, questions)),
    recall: await unlessDamaged(() => recallShare(world, local, questions, versions)),
    canaries,
    leaks: canaries
      .filter(({ seenByOther }) => seenByOther)
      .map(({ document, other }) => ({ document, to: other })),
    hidden: canaries
      .filter(({ seenByOwn }) => !seenByOwn)
      .map(({ document, tenant }) => ({ document, from: tenant })),
  };
}

/** What the copy answers: first the version that callers here ask with. */
async function askedVersions(world: World, { store }: LocalIndex): Promise<string[]> {
  const answered = answeredVersions(await store.vectors());
  const asked = activeModel(world)?.version;
  return answered.toSorted((a, b) => Number(b === asked) - Number(a === asked));
}

/** A search that meets a damaged record says so: what it would have found cannot be told. */
async function unlessDamaged<T>(work: () => Promise<T | null>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    const damage = ["INDEX_CORRUPT", "INDEX_UNAVAILABLE", "INDEX_QUARANTINED"];
    if (error instanceof TideoverError && damage.includes(error.code)) return null;
    throw error;
  }
}

async function searched(local: LocalIndex, query: Omit<IndexQuery, "proving">): Promise<string[]> {
  const hits = await local.store.search({ ...query, proving: true });
  return hits.map(({ id }) => id);
}

function queryOf({ vector, embedding, audiences, labels = [], k }: ProofQuestion): IndexQuery {
  return { vector, embedding, audiences, labels, k };
}

/** Of the questions whose documents are here at all, how many find one of them. */
async function goldenShare(
  local: LocalIndex,
  questions: readonly ProofQuestion[],
): Promise<Share | null> {
  let of = 0;
  let found = 0;
  let least = 0;
  for (const question of questions) {
    const { documents } = question;
    if (documents.length === 0) continue;
    if ((await local.store.recordsOf(documents)).length === 0) continue;
    const ids = await searched(local, queryOf(question));
    of += 1;
    least += question.least;
    if (documents.some((id) => ids.includes(id))) found += 1;
  }
  return of < LEAST_QUESTIONS ? null : { value: found / of, of, least: least / of };
}

/** What the engine's own search finds of what an exact one does; null of an engine that is exact. */
async function recallShare(
  world: World,
  local: LocalIndex,
  questions: readonly ProofQuestion[],
  versions: readonly string[],
): Promise<Share | null> {
  const facts = await local.store.facts();
  if (!facts.approximate) return null;
  const queries = [...questions.map(queryOf), ...(await selfQueries(local, versions))];
  const before = await local.store.position();
  let exact = 0;
  let both = 0;
  for (const query of queries) {
    const wanted = await searched(local, { ...query, exact: true });
    const ids = await searched(local, query);
    exact += wanted.length;
    both += wanted.filter((id) => ids.includes(id)).length;
  }
  // While a copy is being filled, what one search finds is not there yet for the one before it.
  const written = (await local.store.position()).seq - before.seq;
  if (written > MOST_WRITTEN * before.count) return null;
  const least = world.indexSpec(local.name)?.scrub.recall ?? 0;
  return exact === 0 ? null : { value: both / exact, of: queries.length, least };
}

/** Records of one part of the index as queries, so that an index without questions is proven too. */
async function selfQueries(
  { store }: LocalIndex,
  versions: readonly string[],
): Promise<IndexQuery[]> {
  const { count } = await store.position();
  // So small a part that it holds a few times what is wanted.
  const bits = Math.max(0, Math.min(16, Math.floor(Math.log2(count / (SELF_QUERIES * 4)))));
  const records = await store.recordsIn({ prefix: 0, bits });
  return records
    .slice(0, SELF_QUERIES)
    .flatMap((record) => versions.map((version) => selfQuery(record, version)));
}

/** By the record's own vector of a version; one that names none of it, by what it has. */
function selfQuery(record: StoredRecord, version: string | undefined): IndexQuery {
  const { audience, labels } = record;
  const [first, ...others] = vectorsOf(record);
  const own = others.find(({ model }) => model.version === version) ?? first;
  const embedding = own?.model.version ?? record.embedding;
  const vector = floatsOf(own?.bytes ?? record.vector);
  const audiences = [...new Set(["public", audience])];
  return { vector, embedding, audiences, labels, k: RECALL_K };
}

/** Every golden canary, searched by its own vector for its own tenant and for another. */
async function seenCanaries(
  world: World,
  local: LocalIndex,
  [version]: readonly string[],
): Promise<SeenCanary[]> {
  const { golden, spec } = world.options;
  const seen: SeenCanary[] = [];
  for (const [workflow, { retrieval }] of Object.entries(spec.workflows)) {
    if (retrieval?.index !== local.name) continue;
    for (const { tenant, document } of golden.get(workflow)?.canaries ?? []) {
      const other = Object.keys(spec.tenants).find((one) => one !== tenant);
      const [record] = await local.store.recordsOf([document]);
      if (other === undefined || record === undefined) continue;
      const found = await unlessDamaged(() =>
        seenBy(local, selfQuery(record, version), record.id, [tenant, other]),
      );
      if (found !== null) seen.push({ document, tenant, other, ...found });
    }
  }
  return seen;
}

async function seenBy(
  local: LocalIndex,
  self: IndexQuery,
  id: string,
  [tenant, other]: readonly [string, string],
) {
  const query = { ...self, exact: false };
  const own = await searched(local, { ...query, audiences: ["public", tenant] });
  const others = await searched(local, { ...query, audiences: ["public", other] });
  return { seenByOwn: own.includes(id), seenByOther: others.includes(id) };
}

/** How much of the owner's results on the same questions is in ours; null when it does not answer. */
export async function overlapShare(
  local: LocalIndex,
  peer: IndexPeer,
  questions: readonly ProofQuestion[],
): Promise<Share | null> {
  let theirs = 0;
  let both = 0;
  let of = 0;
  for (const question of questions) {
    const wanted = await peer.results(question).catch(() => null);
    if (wanted === null) continue;
    const ids = await searched(local, queryOf(question));
    theirs += wanted.length;
    both += wanted.filter((id) => ids.includes(id)).length;
    of += 1;
  }
  return theirs === 0 ? null : { value: both / theirs, of, least: LEAST_OVERLAP };
}
