import { isDeepStrictEqual } from "node:util";
import {
  type AlteredRecords,
  type IndexMeasures,
  RECORD_FIELDS,
  type RecordField,
  type Share,
} from "../../core/reconcile/diagnosis.ts";
import { alteredOf, type Finding, isIntact, missingOf } from "../../core/reconcile/scrub.ts";
import { messageOf, TideoverError } from "../../lib/errors.ts";
import type { RegionName } from "../../model/ids.ts";
import type { StoredRecord } from "../../model/record.ts";
import { embeddingVersion } from "../../model/release.ts";
import type { LocalIndex } from "../local-index.ts";
import type { World } from "../world.ts";
import { IndexPeer } from "./ask.ts";
import { NO_PROOFS, type Proofs, proveBySearch } from "./proofs.ts";

/** Altered records that are compared with another copy's, field by field. */
const COMPARED = 200;

/** What there is to be known of a copy, for the table in core/reconcile/diagnosis.ts. */
export interface Measured {
  readonly measures: IndexMeasures;
  readonly proofs: Proofs;
}

/**
 * Measures a copy whose records have all been looked at: `findings` are of the whole of it. What
 * cannot be asked (a peer that is away, a runtime that does not embed) is left open.
 */
export async function measure(
  world: World,
  local: LocalIndex,
  findings: readonly Finding[],
): Promise<Measured> {
  const { count } = await local.store.position();
  const missing = missingOf(findings);
  const altered = await alteredRecords(world, local, alteredOf(findings));
  // What is known of its records says enough, and a search that meets them finds nothing out.
  const proofs = findings.length > 0 ? NO_PROOFS : await proveBySearch(world, local);
  const { golden, recall, leaks, hidden } = proofs;
  const embedding = world.release?.body.embedding;
  const measures: IndexMeasures = {
    count: { expected: count, found: count - missing },
    altered,
    digestsEqual: !findings.some(({ kind }) => kind !== "altered"),
    embeddings: Object.fromEntries(local.health.versions),
    embedding: embedding === undefined ? null : embeddingVersion(embedding),
    recall: share(recall),
    golden: share(golden),
    leaks,
    hidden,
  };
  return { measures, proofs };
}

/** A share of nothing says nothing. */
function share(found: Share | null): Share | null {
  return found === null || found.of === 0 ? null : found;
}

async function alteredRecords(
  world: World,
  local: LocalIndex,
  ids: readonly string[],
): Promise<AlteredRecords> {
  if (ids.length === 0) return { ids, fields: null };
  const own = await local.store.recordsOf(ids.slice(0, COMPARED));
  const written = await asWritten(world, local, own).catch((error: unknown) => {
    const { logger } = world.options;
    logger.warn({ index: local.name }, `nobody says how they were: ${messageOf(error)}`);
    return new Map<string, StoredRecord>();
  });
  const fields: Partial<Record<RecordField, number>> = {};
  for (const record of own) {
    const original = written.get(record.id);
    if (original === undefined) continue;
    for (const field of changedFields(record, original)) fields[field] = (fields[field] ?? 0) + 1;
  }
  if (written.size === 0) return { ids, fields: null };
  // The others were altered as these were, as far as anybody can tell.
  const scale = ids.length / written.size;
  const scaled = Object.entries(fields).map(([field, n]) => [field, Math.round(n * scale)]);
  return { ids, fields: Object.fromEntries(scaled) };
}

function changedFields(own: StoredRecord, original: StoredRecord): RecordField[] {
  return RECORD_FIELDS.filter(
    (field) => !isDeepStrictEqual(plain(own, field), plain(original, field)),
  );
}

/** Bytes by their values: a driver's Buffer is no other vector than a Uint8Array. */
function plain(record: StoredRecord, field: RecordField): unknown {
  const value = record[field];
  return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
}

/** What another region has of these records, where that is what our kept digests were made of. */
async function asWritten(world: World, local: LocalIndex, own: readonly StoredRecord[]) {
  const key = world.options.digestKeys?.get(local.name);
  const kept = new Map(own.map(({ id, digest }) => [id, digest]));
  const theirs = await referencePeer(world, local).records([...kept.keys()]);
  const good = theirs.filter((one) => kept.get(one.id) === one.digest && isIntact(one, key));
  return new Map(good.map((one) => [one.id, one]));
}

/** Whom a copy is compared with: the owner, and the owner itself with any other region. */
export function referencePeer(world: World, local: LocalIndex): IndexPeer {
  const { region, spec } = world.options;
  const owner = world.book.of(local.name)?.region;
  const others: RegionName[] = Object.keys(spec.regions).filter((one) => one !== region);
  const chosen = owner === undefined || owner === region ? others[0] : owner;
  if (chosen !== undefined) return new IndexPeer(world, chosen, local.name);
  throw new TideoverError(`no other region has index "${local.name}"`, {
    code: "PEER_UNAVAILABLE",
    retry: "later",
  });
}
