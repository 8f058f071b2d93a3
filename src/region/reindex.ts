import { TideoverError } from "../lib/errors.ts";
import type { Position } from "../model/position.ts";
import type { StoredRecord } from "../model/record.ts";
import { embeddingVersion } from "../model/release.ts";
import type { EmbeddedChange } from "../ports/index.ts";
import { embeddedText, embeddingOf, embedTexts, vectorText } from "./embed.ts";
import type { LocalIndex } from "./local-index.ts";
import { mustOwn } from "./owning.ts";
import type { ReindexState } from "./reindexing.ts";
import type { World } from "./world.ts";

/** Records that are embedded and written at once. */
const BATCH = 100;

/**
 * Embeds every record of an index again with the active release's model, through the owner's own
 * write path: each new vector is a change in the log, and replicas follow as ever.
 *
 * Until the last record is written the index holds two embedding versions, and refuses every
 * question rather than answer from a part of the documents. Broken off anywhere it goes on where it
 * was: a record that bears the version already is left alone. What a pipeline writes or deletes
 * meanwhile is newer than what was read here, and stays.
 *
 * Begins it, or joins the one under way. Throws what `mustOwn` throws, and RELEASE_INVALID without
 * an embedding model.
 */
export function beginReindex(world: World, local: LocalIndex): ReindexState {
  mustOwn(world, local.name);
  const embedding = embeddingVersion(embeddingOf(world));
  return local.reindexing.begin(embedding, () => reindexAll(world, local, embedding));
}

async function reindexAll(world: World, local: LocalIndex, embedding: string): Promise<void> {
  const snapshot = await local.store.openSnapshot();
  try {
    local.reindexing.hasTotal(snapshot.position.count);
    for await (const page of snapshot.records(BATCH)) {
      world.stop.signal.throwIfAborted();
      await rewrite(world, local, embedding, page);
      local.reindexing.hasDone(page.length);
    }
  } finally {
    await snapshot.close();
  }
}

async function rewrite(
  world: World,
  local: LocalIndex,
  embedding: string,
  page: readonly StoredRecord[],
): Promise<void> {
  const old = page.filter((record) => record.embedding !== embedding);
  if (old.length === 0) return;
  mustBeActive(world, embedding);
  const vectors = await embedTexts(world, old.map(embeddedText));
  await local.writing.run(async () => {
    // Asked again: the ownership or the release may have moved while the runtime was at work.
    const { epoch } = mustOwn(world, local.name);
    mustBeActive(world, embedding);
    const now = await local.store.recordsOf(old.map(({ id }) => id));
    const digests = new Map(now.map(({ id, digest }) => [id, digest]));
    const { sourceTime }: Position = await local.store.position();
    const changes = old.flatMap((record, at) => {
      if (digests.get(record.id) !== record.digest) return [];
      return changeOf(record, embedding, vectors[at] ?? [], sourceTime);
    });
    if (changes.length > 0) await local.store.append(epoch, changes);
  });
  local.written.ring();
}

/** With the time of the newest change: the documents are no newer for it, and no lag is made up. */
function changeOf(
  { digest: _digest, labels, ...record }: StoredRecord,
  embedding: string,
  vector: readonly number[],
  sourceTime: number,
): EmbeddedChange {
  const written = { ...record, labels: [...labels], embedding, vector: vectorText(vector) };
  return { op: "upsert", ...written, sourceTime };
}

function mustBeActive(world: World, embedding: string): void {
  const active = embeddingVersion(embeddingOf(world));
  if (active === embedding) return;
  throw new TideoverError(`the release's embedding is ${active} now, and no longer ${embedding}`, {
    code: "NOT_READY",
    next: "Begin it again: it goes on with the new version.",
  });
}
