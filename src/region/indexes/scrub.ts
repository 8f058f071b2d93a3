import type { DigestKey } from "../../core/reconcile/digest.ts";
import { type Finding, judgePosition, judgeRange } from "../../core/reconcile/scrub.ts";
import { LEAF_BITS, type RangeRef, type StoredRecord } from "../../model/record.ts";
import type { LocalIndex } from "../local-index.ts";
import type { World } from "../world.ts";
import type { Looked } from "./health.ts";
import { hotRanges } from "./hot.ts";

/** A copy of so many records is looked at as a whole at every turn. */
const SMALL = 1_000;
/** A turn looks at no fewer, or a large index would pay more for the turns than for the looking. */
const LEAST = 256;
/** Records read at once: what the writers wait for. */
const SLICE = 1_000;

const ROOT: RangeRef = { prefix: 0, bits: 0 };
const KEYS = 2 ** 32;

/**
 * Looks at the next share of a copy: of a small one at all of it, of a large one at as much as lets
 * every record be seen once in the time that the spec gives, and at some of what callers ask for.
 */
export async function scrubSome(world: World, local: LocalIndex): Promise<Looked> {
  const { count } = await local.store.position();
  const { interval } = world.options.spec.detection;
  const everyMs = world.indexSpec(local.name)?.scrub.everyRecordOnce ?? interval;
  const share = Math.max(LEAST, Math.ceil((count * interval) / everyMs));
  if (count <= SMALL) return scrub(world, local, count);
  const hot = await scrubHot(world, local, count);
  const looked = await scrub(world, local, share);
  return {
    findings: [...hot.findings, ...looked.findings],
    records: hot.records + looked.records,
  };
}

async function scrubHot(world: World, local: LocalIndex, count: number): Promise<Looked> {
  const key = world.options.digestKeys?.get(local.name);
  const findings: Finding[] = [];
  let records = 0;
  for (const range of await hotRanges(world, local, key)) {
    const held = await local.writing.run(() => lookAt(local, range, count, key));
    findings.push(...held.findings);
    records += held.records.length;
  }
  return { findings, records };
}

/** Looks at every record now, from the beginning. */
export function scrubAll(world: World, local: LocalIndex): Promise<Looked> {
  const { pass } = local.health;
  pass.next = 0;
  pass.records = 0;
  pass.versions = new Map();
  return scrub(world, local, Number.POSITIVE_INFINITY);
}

/** Goes on with the pass until `most` records were read, or it ends. */
async function scrub(world: World, local: LocalIndex, most: number): Promise<Looked> {
  const { health } = local;
  const key = world.options.digestKeys?.get(local.name);
  const { count } = await local.store.position();
  const bits = bitsFor(count, Math.min(SLICE, most));
  const findings: Finding[] = [];
  let records = 0;
  do {
    const range = { prefix: Math.floor(health.pass.next / 2 ** (32 - bits)), bits };
    const held = await local.writing.run(() => lookAt(local, range, count, key));
    findings.push(...held.findings);
    records += held.records.length;
    remember(local, held.records);
    health.pass.next = (range.prefix + 1) * 2 ** (32 - bits);
  } while (health.pass.next < KEYS && records < most && !world.stop.signal.aborted);
  if (health.pass.next >= KEYS) {
    findings.push(...(await local.writing.run(() => lookAtSums(local))));
    health.finishPass(world.options.clock.monotonic());
  }
  return { findings, records };
}

/** The number of bits that cuts a copy into ranges of about so many records. */
function bitsFor(count: number, records: number): number {
  const parts = Math.max(1, count / Math.max(1, records));
  return Math.min(LEAF_BITS, Math.ceil(Math.log2(parts)));
}

/** Under the writers' lock: a write between the sums and the records would look like damage. */
async function lookAt(local: LocalIndex, range: RangeRef, count: number, key: DigestKey) {
  const records = await local.store.recordsIn(range);
  const coarse = judgeRange(range, await local.store.sums([range], 0), records, key);
  if (!coarse.some(({ kind }) => kind === "sum")) return { records, findings: coarse };
  // So fine that each part has about one record: the owner is then asked for those alone.
  const bits = Math.max(range.bits, bitsFor(count, 1));
  const fine = await local.store.sums([range], bits - range.bits);
  return { records, findings: judgeRange(range, fine, records, key) };
}

async function lookAtSums({ store }: LocalIndex): Promise<Finding[]> {
  return judgePosition(await store.sums([ROOT], 0), await store.position());
}

function remember({ health: { pass } }: LocalIndex, records: readonly StoredRecord[]): void {
  pass.records += records.length;
  for (const { embedding } of records) {
    pass.versions.set(embedding, (pass.versions.get(embedding) ?? 0) + 1);
  }
}
