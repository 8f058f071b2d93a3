import { messageOf } from "../../lib/errors.ts";
import type { Position } from "../../model/position.ts";
import { embeddingVersion } from "../../model/release.ts";
import type { WorkflowRoute } from "../../model/snapshot.ts";
import type { IndexHit, IndexQuery, IndexReader } from "../../ports/index.ts";
import { positionWord, type WantedPosition } from "../../wire/position.ts";
import type { Tools } from "../options.ts";
import { embed } from "../targets/embed.ts";
import { within } from "../within.ts";
import { type Attempt, type Call, located } from "./call.ts";
import { awaited, type Standing, standingAt } from "./min-position.ts";
import { staleness } from "./stale.ts";

/** Whoever may see everything that is not one tenant's own. */
const PUBLIC = "public";

export type Retrieval = NonNullable<WorkflowRoute["retrieval"]>;

export type Found =
  | {
      readonly kind: "found";
      readonly hits: readonly IndexHit[];
      readonly watermark: string;
      /** As the header says it: what a later request may ask for. */
      readonly position: string;
      /** As the header says it; null for documents that are fresh, or that nobody judges. */
      readonly stale: string | null;
    }
  /** The index, or what it needs, answered badly: trying again at once would change nothing. */
  | { readonly kind: "broken"; readonly because: string }
  /** The copy may not be believed: another region's may. */
  | { readonly kind: "damaged"; readonly because: string }
  /** The copy has not reached the position that the caller needs, or cannot prove it. */
  | Unreached
  /** No model runtime of this region answered: the region itself may be going. */
  | {
      readonly kind: "unanswered";
      readonly because: string;
      readonly attempts: readonly Attempt[];
    };

export type Unreached = Exclude<Standing, { readonly kind: "reached" }>;

export interface Question {
  readonly text: string;
  /** Positions that the copy must have reached. */
  readonly positions: readonly WantedPosition[];
}

/** Asks this region's copy. Never throws: what went wrong is the finding. */
export async function find(
  tools: Tools,
  call: Call,
  retrieval: Retrieval,
  question: Question,
): Promise<Found> {
  const { index, required } = retrieval;
  const vectors = vectorsFor(index);
  const resting = tools.damage.resting(index);
  if (resting !== null) return { kind: "damaged", because: resting };
  // A broken index would cost every request its time-out; after a failure it is left alone a while.
  if (tools.retrieval.ejected(index) || (!required && tools.retrieval.ejected(vectors)))
    return { kind: "broken", because: "it failed a moment ago" };
  const found = await ask(tools, call, retrieval, question);
  if (call.signal.aborted) return found;
  if (found.kind === "found") {
    tools.damage.answered(index);
    tools.retrieval.succeeded(index);
    tools.retrieval.succeeded(vectors);
    return found;
  }
  // A copy that is behind, or that knows of its own damage, has not failed: it was right to refuse.
  if (isUnreached(found)) return found;
  // A request that is held says itself what it waits for, and comes by here many times.
  if (found.kind === "unanswered" && required) return found;
  tools.logger.warn({ index, because: found.because }, "retrieval failed");
  if (found.kind === "damaged") return found;
  tools.retrieval.failed(found.kind === "broken" ? index : vectors, found.because);
  return found;
}

function isUnreached(found: Found): found is Unreached {
  return found.kind === "behind" || found.kind === "lost" || found.kind === "unproven";
}

/**
 * A runtime that does not answer is remembered apart from the index, which it says nothing of. A
 * workflow that needs its documents is held then, and must see the runtime's return in its very
 * next round, whatever a workflow that can do without has met meanwhile.
 */
function vectorsFor(index: string): string {
  return `vectors for ${index}`;
}

async function ask(
  tools: Tools,
  call: Call,
  retrieval: Retrieval,
  { text, positions }: Question,
): Promise<Found> {
  const store = tools.indexes.get(retrieval.index);
  if (store === undefined) return { kind: "broken", because: "this region has no copy of it" };
  const embedding = call.snapshot.release?.embedding;
  if (embedding === undefined) return { kind: "broken", because: "the release has no embedding" };
  try {
    if (positions.length > 0) {
      // Before the vector is paid for.
      const standing = await awaited(tools, store, positions, call.signal);
      if (standing.kind !== "reached") return standing;
    }
    const dispensable = !retrieval.required || servedElsewhere(tools, call);
    const embedded = await embed(tools, call, { embedding, text, dispensable });
    if (embedded.kind !== "embedded") return embedded;
    const query = {
      vector: embedded.vector,
      embedding: embeddingVersion(embedding),
      // The filter of tenants. It is applied inside the index, or k strangers' documents found
      // first would push the caller's own out.
      audiences: [PUBLIC, located(call).tenant],
      labels: call.snapshot.tenants[located(call).tenant]?.labels ?? [],
      k: retrieval.topK,
    };
    const searched = search(tools, call, { store, retrieval, query, positions });
    return await within(tools.clock, tools.timeouts.retrieveMs, searched);
  } catch (error) {
    const because = messageOf(error);
    return tools.damage.saw(retrieval.index, error)
      ? { kind: "damaged", because }
      : { kind: "broken", because };
  }
}

function servedElsewhere({ region }: Tools, call: Call): boolean {
  return !call.readiness && located(call).route.serving.some((other) => other !== region);
}

interface Search {
  readonly store: IndexReader;
  readonly retrieval: Retrieval;
  readonly query: IndexQuery;
  readonly positions: readonly WantedPosition[];
}

async function search(
  tools: Tools,
  call: Call,
  { store, retrieval, query, positions }: Search,
): Promise<Found> {
  // Position and age first: a change after them makes the answer newer than it says, never older.
  const [position, stale] = await Promise.all([
    store.position(),
    stalenessOf(tools, call, store, retrieval),
  ]);
  const hits = await store.search(query);
  // A replica that had to take changes back meanwhile has found documents that were revoked.
  const standing = positions.length === 0 ? null : await standingAt(store, positions);
  if (standing !== null && standing.kind !== "reached") return standing;
  const told = `${retrieval.index}=${positionWord(position)}`;
  return { kind: "found", hits, watermark: watermarkOf(position), position: told, stale };
}

async function stalenessOf(
  tools: Tools,
  call: Call,
  store: IndexReader,
  { index, freshness }: Retrieval,
): Promise<string | null> {
  if (freshness === undefined) return null;
  const watermarks = await store.watermarks();
  const { tenant } = located(call);
  return staleness({ index, freshness }, { watermarks, tenant, now: tools.clock.now() });
}

/** `<seq>@<ISO time>`; an empty index has no newest change, and says so by the year 1970. */
function watermarkOf({ seq, sourceTime }: Position): string {
  return `${seq}@${new Date(sourceTime).toISOString()}`;
}
