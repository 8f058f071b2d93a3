import { z } from "zod";
import { sortedLabels } from "../core/reconcile/digest.ts";
import { TideoverError } from "../lib/errors.ts";
import { type SourceChange, sourceChangeSchema } from "../model/change.ts";
import type { IndexName } from "../model/ids.ts";
import type { Position } from "../model/position.ts";
import { embeddingVersion } from "../model/release.ts";
import type { EmbeddedChange } from "../ports/index.ts";
import { embeddedText, embeddingOf, embedTexts, vectorText } from "./embed.ts";
import { mustOwn } from "./owning.ts";
import { watermarkStepMs, worthKeeping } from "./watermarks.ts";
import { appendWhole } from "./whole-writes.ts";
import type { World } from "./world.ts";

const MOST_CHANGES = 500;
/** Of one change as JSON. Replicas fetch entries in answers of 4 MiB at most. */
const LARGEST_CHANGE_BYTES = 1_048_576;

/** As much as two sound clocks may differ, and a bit. */
const CLOCKS_APART_MS = 60_000;

const changesSchema = z.array(sourceChangeSchema).min(1).max(MOST_CHANGES);

/** Reads what a pipeline sent. Throws CORPUS_INVALID naming the first fault and its place. */
export function parseChanges(value: unknown): SourceChange[] {
  const parsed = changesSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const place = issue?.path.join(".") ?? "";
    throw invalid(`change ${place === "" ? "list" : place}: ${issue?.message}`);
  }
  for (const [at, change] of parsed.data.entries()) {
    const bytes = Buffer.byteLength(JSON.stringify(change));
    if (bytes > LARGEST_CHANGE_BYTES) throw invalid(`change ${at} has ${bytes} bytes`);
  }
  return parsed.data;
}

/**
 * The owner's write path: leave out watermarks that say too little, embed, then append under the ownership. The position returned is on disk.
 * Throws CORPUS_INVALID on a watermark of the future, what `mustOwn` throws, PEER_UNAVAILABLE when nothing embeds, and the index's own errors.
 */
export async function ingest(
  world: World,
  name: IndexName,
  changes: readonly SourceChange[],
): Promise<Position> {
  const local = world.index(name);
  mustOwn(world, name);
  refuseFuture(changes, world.options.clock.now());
  const stepMs = watermarkStepMs(world.indexSpec(name)?.freshness);
  const worth = worthKeeping(changes, await local.store.watermarks(), stepMs);
  if (worth.length === 0) return local.store.position();
  return appendWhole(world, local, await embedChanges(world, worth));
}

/** A word for a time that has not come would make a dead pipeline look fresh until then. */
function refuseFuture(changes: readonly SourceChange[], now: number): void {
  for (const change of changes) {
    if (change.op !== "watermark" || change.sourceTime <= now + CLOCKS_APART_MS) continue;
    const at = isoOf(change.sourceTime);
    throw invalid(`a watermark vouches for ${at}, and it is ${isoOf(now)} here`);
  }
}

function isoOf(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString();
}

async function embedChanges(
  world: World,
  changes: readonly SourceChange[],
): Promise<EmbeddedChange[]> {
  const embedding = embeddingVersion(embeddingOf(world));
  const texts = changes.flatMap((change) =>
    change.op === "upsert" ? [embeddedText(change.document)] : [],
  );
  const vectors = (await embedTexts(world, texts)).values();
  return changes.map((change) => {
    if (change.op === "upsert") {
      const vector = vectorText(vectors.next().value ?? []);
      const labels = sortedLabels(change.document.labels);
      return { op: "upsert", ...change.document, labels, embedding, vector };
    }
    return { ...withoutContent(change), embedding };
  });
}

function withoutContent(change: Exclude<SourceChange, { op: "upsert" }>) {
  const none = { title: "", text: "", labels: [], payload: {}, vector: "" };
  const { op, sourceTime } = change;
  if (op === "delete") return { ...none, op, id: change.id, audience: "", sourceTime };
  return { ...none, op, id: "", audience: change.audience ?? "", sourceTime };
}

function invalid(fault: string): TideoverError {
  return new TideoverError(`this is no list of changes: ${fault}`, {
    code: "CORPUS_INVALID",
    next: `Send a JSON array of 1 to ${MOST_CHANGES} changes of at most 1 MiB each.`,
  });
}
