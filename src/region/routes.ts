import { z } from "zod";
import { packEntries } from "../core/reconcile/packed-records.ts";
import { answeredVersions, heldVersions } from "../core/reconcile/vectors.ts";
import type { LogEntry } from "../model/change.ts";
import { ENTRIES_MEDIA } from "../model/index-snapshot.ts";
import { ownershipSchema } from "../model/intent.ts";
import type { HeldRelease } from "../ports/agents.ts";
import { AGENT_PATHS, HEADERS } from "../wire/headers.ts";
import { positionWord } from "../wire/position.ts";
import { NO_ARTIFACTS } from "./artifacts/keep-artifacts.ts";
import { sendCanary } from "./canary.ts";
import { followStore } from "./follow-store.ts";
import { Bytes, RequestError, readJson } from "./http.ts";
import { readyForRelease } from "./indexes/ready-for-release.ts";
import { INDEX_ROUTES } from "./indexes/routes.ts";
import { ingest, parseChanges } from "./ingest.ts";
import type { LocalIndex } from "./local-index.ts";
import { obeyOwnership } from "./obey-ownership.ts";
import { proveReadiness } from "./readiness/run.ts";
import { catchUp } from "./replicate.ts";
import { type Asked, body, exact, ofIndex, type Route } from "./route.ts";
import { SNAPSHOT_ROUTES } from "./snapshots/routes.ts";
import { waitForEntry } from "./wait-for-entry.ts";
import type { World } from "./world.ts";

const CHANGES_BODY = 32 * 1_048_576;
/** Of a page of entries. The asker reads 4 MiB at most, and one entry may have a third of that. */
const PAGE_BYTES = 2 * 1_048_576;
/** Of a packed page: what a replica holds in memory twice, one applied and one on its way. */
const PACKED_PAGE_BYTES = 4 * 1_048_576;
const MOST_ENTRIES = 1_000;
const MOST_WAIT_MS = 30_000;

/** Everything behind the token. The names of the paths are in wire/headers.ts. */
export const ROUTES: readonly Route[] = [
  { method: "POST", path: exact(AGENT_PATHS.readiness), answer: answerReadiness },
  { method: "POST", path: exact(AGENT_PATHS.canary), answer: answerCanary },
  { method: "POST", path: exact(AGENT_PATHS.ownership), answer: answerOwnership },
  { method: "POST", path: exact(AGENT_PATHS.fetchRelease), answer: answerFetchRelease },
  { method: "POST", path: exact(AGENT_PATHS.verifyRelease), answer: answerVerifyRelease },
  { method: "GET", path: exact(AGENT_PATHS.artifacts), answer: answerArtifacts },
  { method: "GET", path: ofIndex(AGENT_PATHS.index), answer: answerIndex },
  {
    method: "GET",
    path: ofIndex((name) => `${AGENT_PATHS.entries(name)}/at`),
    answer: answerEntryAt,
  },
  { method: "GET", path: ofIndex(AGENT_PATHS.entries), answer: answerEntries },
  { method: "POST", path: ofIndex(AGENT_PATHS.changes), answer: answerChanges },
  { method: "POST", path: ofIndex(AGENT_PATHS.catchUp), answer: answerCatchUp },
  ...INDEX_ROUTES,
  ...SNAPSHOT_ROUTES,
];

const timeout = z.number().positive().max(600_000);
const readinessBody = z.object({
  workflow: z.string(),
  exactIndex: z.boolean().default(false),
  timeoutMs: timeout.default(10_000),
});
const canaryBody = z.object({
  workflow: z.string(),
  standby: z.boolean().default(false),
  timeoutMs: timeout.default(10_000),
});
const releaseBody = z.object({ digest: z.string(), timeoutMs: timeout.default(10_000) });
const catchUpBody = z.object({ timeoutMs: timeout });

async function answerReadiness(world: World, { request }: Asked) {
  const { workflow, exactIndex, timeoutMs } = await body(request, readinessBody);
  return proveReadiness(world, workflow, { exactIndex, timeoutMs });
}

async function answerCanary(world: World, { request }: Asked) {
  const { workflow, timeoutMs, standby } = await body(request, canaryBody);
  return sendCanary(world, workflow, { timeoutMs, standby });
}

async function answerFetchRelease(world: World, { request }: Asked) {
  const { digest, timeoutMs } = await body(request, releaseBody);
  return world.options.releases.fetch(digest, timeoutMs);
}

async function answerVerifyRelease(world: World, { request }: Asked): Promise<HeldRelease> {
  const { digest, timeoutMs } = await body(request, releaseBody);
  const held = await world.options.releases.verify(digest);
  if (!held.complete) return held;
  const indexes = await readyForRelease(world, digest, timeoutMs);
  if (!indexes.complete || indexes.detail === "") return indexes.complete ? held : indexes;
  return { complete: true, detail: `${held.detail}; ${indexes.detail}` };
}

async function answerArtifacts({ options }: World) {
  return options.artifacts?.status() ?? NO_ARTIFACTS;
}

async function answerOwnership(world: World, { request }: Asked) {
  return obeyOwnership(world, await body(request, ownershipSchema));
}

/** How the index stands here; with `?at=SEQ` also the entry at that seq, without its content. */
async function answerIndex(world: World, { index, query }: Asked) {
  const local = world.index(index);
  const seq = integer(query, "at", 0);
  // Read by itself, and first: a copy that cannot be read must not look like an empty one, or its
  // replicas would empty theirs; and the entry at or below it is there, however fast it is written.
  const position = await local.store.position();
  const state = await local.state(world.options.clock.monotonic());
  const entry = seq > 0 ? await local.store.entryAt(seq) : null;
  const { region, epoch, frozen } = world.book.of(index) ?? {
    region: null,
    epoch: 0,
    frozen: false,
  };
  return {
    ...state,
    position,
    versions: await versionsOf(local),
    reindex: local.reindexing.state,
    base: await local.store.base(),
    epoch,
    owner: region,
    frozen,
    at: entry === null ? null : markOf(entry),
  };
}

/** Every embedding version that records have a vector of; `whole`: all of them do. */
async function versionsOf({ store }: LocalIndex) {
  const held = await store.vectors();
  const whole = answeredVersions(held);
  return heldVersions(held).map((name) => ({ name, whole: whole.includes(name) }));
}

function markOf({ seq, epoch, digestAfter }: LogEntry) {
  return { seq, epoch, digestAfter };
}

/** JSON, or packed for who can read that; with `?wait=MS` not before there is an entry. */
async function answerEntries(world: World, { index, query, request }: Asked) {
  const local = world.index(index);
  const after = integer(query, "after", 0);
  const limit = Math.min(MOST_ENTRIES, integer(query, "limit", 100));
  await waitForEntry(world, local, after, Math.min(MOST_WAIT_MS, integer(query, "wait", 0)));
  const entries = await local.store.entriesAfter(after, limit);
  if (request.headers.accept?.includes(ENTRIES_MEDIA) !== true) {
    return withinBytes(entries, PAGE_BYTES);
  }
  // Read after the entries, so that it never says less than they do.
  const position = await local.store.position();
  return new Bytes(packEntries(entries, PACKED_PAGE_BYTES), {
    "content-type": ENTRIES_MEDIA,
    [HEADERS.position]: JSON.stringify(position),
  });
}

/** As many of the first entries as fit, and always one: without it a replica would never go on. */
export function withinBytes(entries: readonly LogEntry[], mostBytes: number): LogEntry[] {
  let bytes = 0;
  return entries.filter((entry, at) => {
    bytes += Buffer.byteLength(JSON.stringify(entry));
    return at === 0 || bytes <= mostBytes;
  });
}

async function answerEntryAt(world: World, { index, query }: Asked) {
  const seq = integer(query, query.has("seq") ? "seq" : "at", 0);
  return { entry: await world.index(index).store.entryAt(seq) };
}

async function answerChanges(world: World, { request, index }: Asked) {
  const { store } = world.index(index);
  const position = await ingest(world, index, parseChanges(await readJson(request, CHANGES_BODY)));
  const written = await store.markAt(position.seq);
  return { position, minPosition: positionWord(position, written?.epoch) };
}

async function answerCatchUp(world: World, { request, index }: Asked) {
  const local = world.index(index);
  const { timeoutMs } = await body(request, catchUpBody);
  // The caller may have moved the ownership a moment ago. Without the store: as far as is known.
  await followStore(world).catch(() => undefined);
  return catchUp(world, local, timeoutMs);
}

function integer(query: URLSearchParams, name: string, absent: number): number {
  const text = query.get(name);
  if (text === null) return absent;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new RequestError(400, `${name}=${text.slice(0, 40)} is no whole number`, `Mend ${name}.`);
}
