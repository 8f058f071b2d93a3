import { refusalOf } from "../core/reconcile/acceptance.ts";
import {
  answeredVersions,
  heldVersions,
  joined,
  type Vectored,
  vectorsOf,
} from "../core/reconcile/vectors.ts";
import { TideoverError } from "../lib/errors.ts";
import type { StoredRecord } from "../model/record.ts";
import { type VectorModel, versionNames } from "../model/vectors.ts";
import type { EmbeddedChange } from "../ports/index.ts";
import { embeddedText, embeddingOf } from "./embed.ts";
import { acceptVersion } from "./indexes/accept-version.ts";
import type { LocalIndex } from "./local-index.ts";
import { mustOwn } from "./owning.ts";
import type { ReindexState } from "./reindexing.ts";
import { versionsInUse } from "./versions-in-use.ts";
import { asText, asVectorModel, embedAs, withOne } from "./whole-writes.ts";
import type { World } from "./world.ts";

/** Records that are embedded and written at once. */
const BATCH = 100;

/**
 * Gives every record a vector of another embedding version, beside those that it has, through the
 * owner's own write path: each is a change in the log, and replicas follow as ever. `model`: of
 * which version; absent: the active release's.
 *
 * Whoever asks with a version that every record has is answered meanwhile as ever; the new one is
 * answered from the moment when the last record has it. Broken off anywhere it goes on where it was:
 * a record that has the vector already is left alone. What a pipeline writes or deletes meanwhile is
 * newer than what was read here, and stays.
 *
 * Begins it, or joins the one under way. Throws what `mustOwn` throws, RELEASE_INVALID without an
 * embedding model, and NOT_READY while another version is built or dropped.
 */
export function beginReindex(world: World, local: LocalIndex, model?: VectorModel): ReindexState {
  mustOwn(world, local.name);
  const wanted = model ?? asVectorModel(embeddingOf(world));
  return local.reindexing.begin({ kind: "build", model: wanted }, () =>
    build(world, local, wanted),
  );
}

/**
 * Takes a version's vectors out of every record. Throws what `mustOwn` throws, USAGE for a version
 * that a region asks with, or that some records have nothing beside, and STORE_UNAVAILABLE when
 * nobody can say which are asked with.
 */
export async function beginDrop(
  world: World,
  local: LocalIndex,
  version: string,
): Promise<ReindexState> {
  mustOwn(world, local.name);
  await refuseNeeded(world, local, version);
  return local.reindexing.begin({ kind: "drop", version }, () => drop(world, local, version));
}

async function build(world: World, local: LocalIndex, model: VectorModel): Promise<void> {
  do {
    await eachPage(world, local, (page) => addTo(world, local, page, model));
  } while (!(await isWhole(local, model.version)));
  // A copy that was quarantined for lack of this version is looked at again at the next turn.
  local.health.restUntil = 0;
  const acceptance = await acceptVersion(world, local, model);
  if (!acceptance.pass) throw notAccepted(model, refusalOf(acceptance));
  const checks = acceptance.checks.map(({ name, evidence }) => `${name}: ${evidence}`);
  local.reindexing.isAccepted(checks.join("; "));
}

/** Documents that were written since the pass began may lack it: then there is another pass. */
async function isWhole({ store }: LocalIndex, version: string): Promise<boolean> {
  const held = await store.vectors();
  return held.length === 0 || answeredVersions(held).includes(version);
}

async function drop(world: World, local: LocalIndex, version: string): Promise<void> {
  do {
    await eachPage(world, local, (page) => takeFrom(world, local, page, version));
  } while (heldVersions(await local.store.vectors()).includes(version));
}

async function eachPage(
  world: World,
  local: LocalIndex,
  work: (page: readonly StoredRecord[]) => Promise<void>,
): Promise<void> {
  const snapshot = await local.store.openSnapshot();
  try {
    local.reindexing.beginPass(snapshot.position.count);
    for await (const page of snapshot.records(BATCH)) {
      world.stop.signal.throwIfAborted();
      await work(page);
      local.reindexing.hasDone(page.length);
    }
  } finally {
    await snapshot.close();
  }
}

async function addTo(
  world: World,
  local: LocalIndex,
  page: readonly StoredRecord[],
  model: VectorModel,
): Promise<void> {
  const without = page.filter(({ embedding }) => !versionNames(embedding).includes(model.version));
  if (without.length === 0) return;
  const added = await embedAs(world, without.map(embeddedText), model);
  const held = await local.store.vectors();
  const laid = without.map((record, at) => {
    const one = added[at];
    return { record, vectors: one === undefined ? record : withOne(world, held, record, one) };
  });
  await rewrite(world, local, laid);
}

async function takeFrom(
  world: World,
  local: LocalIndex,
  page: readonly StoredRecord[],
  version: string,
): Promise<void> {
  const having = page.filter(({ embedding }) => versionNames(embedding).includes(version));
  if (having.length === 0) return;
  // The release may have been changed, or taken back, since this began.
  await refuseNeeded(world, local, version);
  const laid = having.flatMap((record) => {
    const others = vectorsOf(record).filter(({ model }) => model.version !== version);
    return others.length === 0 ? [] : [{ record, vectors: joined(others) }];
  });
  await rewrite(world, local, laid);
}

interface Rewritten {
  readonly record: StoredRecord;
  readonly vectors: Vectored;
}

/** Writes those of the records that are still what was read. */
async function rewrite(world: World, local: LocalIndex, laid: readonly Rewritten[]): Promise<void> {
  await local.writing.run(async () => {
    // Asked again: the ownership may have moved while the runtime was at work.
    const { epoch } = mustOwn(world, local.name);
    const now = await local.store.recordsOf(laid.map(({ record }) => record.id));
    const digests = new Map(now.map(({ id, digest }) => [id, digest]));
    const { sourceTime } = await local.store.position();
    const changes = laid
      .filter(({ record }) => digests.get(record.id) === record.digest)
      .map((one) => changeOf(one, sourceTime));
    if (changes.length > 0) await local.store.append(epoch, changes);
  });
  local.written.ring();
}

/** With the time of the newest change: the documents are no newer for it, and no lag is made up. */
function changeOf({ record, vectors }: Rewritten, sourceTime: number): EmbeddedChange {
  const { digest: _digest, labels, ...written } = record;
  return { op: "upsert", ...written, labels: [...labels], ...asText(vectors), sourceTime };
}

async function refuseNeeded(world: World, local: LocalIndex, version: string): Promise<void> {
  const held = await local.store.vectors();
  const answered = answeredVersions(held);
  const used = await versionsInUse(world);
  const by = used.get(version);
  if (by !== undefined) {
    throw inUse(`${by} asks with ${version}`, "Activate a release that asks with another one.");
  }
  const without = held.some(({ embedding }) => versionNames(embedding).every((v) => v === version));
  if (!without && answered.some((one) => one !== version)) return;
  throw inUse(
    `not every record of ${local.name} has a vector beside ${version}`,
    "Build another version first: `tideover index reindex`.",
  );
}

function inUse(message: string, next: string): TideoverError {
  return new TideoverError(message, { code: "USAGE", next });
}

function notAccepted({ version }: VectorModel, why: string): TideoverError {
  return new TideoverError(`${version} is built, and not accepted: ${why}`, {
    code: "NOT_READY",
    next: "Look at the model; no release that asks with it is activated before it is accepted.",
  });
}
