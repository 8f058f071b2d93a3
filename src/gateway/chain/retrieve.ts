import { messageOf } from "../../lib/errors.ts";
import type { Position } from "../../model/position.ts";
import { embeddingVersion } from "../../model/release.ts";
import type { WorkflowRoute } from "../../model/snapshot.ts";
import type { IndexHit, IndexReader } from "../../ports/index.ts";
import { type ChatRequest, textOf } from "../../wire/openai.ts";
import type { Tools } from "../options.ts";
import { embed } from "../targets/embed.ts";
import { within } from "../within.ts";
import { type Answer, type Attempt, type Call, type Handler, type Link, located } from "./call.ts";
import { refuse, retryAfter } from "./refuse.ts";

/** Whoever may see everything that is not one tenant's own. */
const PUBLIC = "public";

type Found =
  | { readonly kind: "found"; readonly hits: readonly IndexHit[]; readonly watermark: string }
  /** The index, or what it needs, answered badly: trying again at once would change nothing. */
  | { readonly kind: "broken"; readonly because: string }
  /** No model runtime of this region answered: the region itself may be going. */
  | {
      readonly kind: "unanswered";
      readonly because: string;
      readonly attempts: readonly Attempt[];
    };

type Retrieval = NonNullable<WorkflowRoute["retrieval"]>;

/**
 * Puts the documents before the model that this tenant may see and that fit the question. A
 * workflow that can do without them goes on as `no-retrieval`, says so on every answer, and leaves
 * that mode by itself, since each request asks anew (unless the index failed a moment ago).
 */
export function retrieve(tools: Tools): Link {
  return (next) => (call) => {
    const { route, request } = located(call);
    const question = lastQuestion(request);
    if (route.retrieval === null || question === "") return normally(next, call);
    // Ordered for everyone by the control plane: nobody asks the index, it may be under repair.
    if (route.mode === "no-retrieval") return without(next, call);
    return retrieved(tools, next, call, route.retrieval, question);
  };
}

async function retrieved(
  tools: Tools,
  next: Handler,
  call: Call,
  retrieval: Retrieval,
  question: string,
): Promise<Answer> {
  const found = await find(tools, call, retrieval, question);
  if (found.kind === "found") return withDocuments(next, call, found);
  if (!retrieval.required) return without(next, call);
  if (found.kind === "unanswered")
    return { kind: "unanswered", facts: { attempts: found.attempts } };
  return unavailable(tools, retrieval, found.because);
}

function withDocuments(next: Handler, call: Call, { hits, watermark }: Found & { kind: "found" }) {
  call.known.sources = hits.map(({ id }) => id);
  call.known.watermark = watermark;
  return normally(next, { ...call, documents: hits });
}

function normally(next: Handler, call: Call) {
  call.known.mode = "normal";
  return next(call);
}

function without(next: Handler, call: Call) {
  call.known.mode = "no-retrieval";
  return next({ ...call, mode: "no-retrieval" });
}

function unavailable(tools: Tools, retrieval: Retrieval, because: string): Answer {
  return refuse({
    status: 503,
    code: "retrieval_unavailable",
    message: `The index ${retrieval.index} of ${tools.region} cannot serve (${because}), and this workflow does not answer without it. Try again shortly.`,
    headers: retryAfter(Math.max(1_000, tools.retrieval.ejectedForMs(retrieval.index))),
  });
}

async function find(
  tools: Tools,
  call: Call,
  retrieval: Retrieval,
  question: string,
): Promise<Found> {
  const { index, required } = retrieval;
  const vectors = vectorsFor(index);
  // A broken index would cost every request its time-out; after a failure it is left alone a while.
  if (tools.retrieval.ejected(index) || (!required && tools.retrieval.ejected(vectors)))
    return { kind: "broken", because: "it failed a moment ago" };
  const found = await ask(tools, call, retrieval, question);
  if (call.signal.aborted) return found;
  if (found.kind === "found") {
    tools.retrieval.succeeded(index);
    tools.retrieval.succeeded(vectors);
    return found;
  }
  // A request that is held says itself what it waits for, and comes by here many times.
  if (found.kind === "unanswered" && required) return found;
  tools.retrieval.failed(found.kind === "broken" ? index : vectors, found.because);
  tools.logger.warn({ index, because: found.because }, "retrieval failed");
  return found;
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
  question: string,
): Promise<Found> {
  const store = tools.indexes.get(retrieval.index);
  if (store === undefined) return { kind: "broken", because: "this region has no copy of it" };
  const embedding = call.snapshot.release?.embedding;
  if (embedding === undefined) return { kind: "broken", because: "the release has no embedding" };
  const dispensable = !retrieval.required || servedElsewhere(tools, call);
  const embedded = await embed(tools, call, { embedding, text: question, dispensable });
  if (embedded.kind !== "embedded") return embedded;
  try {
    const query = {
      vector: embedded.vector,
      embedding: embeddingVersion(embedding),
      // The filter of tenants. It is applied inside the index, or k strangers' documents found
      // first would push the caller's own out.
      audiences: [PUBLIC, located(call).tenant],
      k: retrieval.topK,
    };
    return await within(tools.clock, tools.timeouts.retrieveMs, search(store, query));
  } catch (error) {
    return { kind: "broken", because: messageOf(error) };
  }
}

function servedElsewhere({ region }: Tools, call: Call): boolean {
  return !call.readiness && located(call).route.serving.some((other) => other !== region);
}

async function search(
  store: IndexReader,
  query: Parameters<IndexReader["search"]>[0],
): Promise<Found> {
  // The position first: a change between the two makes the answer newer than it says, never older.
  const watermark = watermarkOf(await store.position());
  return { kind: "found", hits: await store.search(query), watermark };
}

/** `<seq>@<ISO time>`; an empty index has no newest change, and says so by the year 1970. */
function watermarkOf({ seq, sourceTime }: Position): string {
  return `${seq}@${new Date(sourceTime).toISOString()}`;
}

function lastQuestion(request: ChatRequest): string {
  const last = request.messages.findLast(({ role }) => role === "user");
  return last === undefined ? "" : textOf(last).trim();
}
