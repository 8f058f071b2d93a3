import {
  alteredOf,
  describeFindings,
  type Finding,
  isIntact,
  missingOf,
  suspectsOf,
} from "../../core/reconcile/scrub.ts";
import type { Ownership } from "../../model/intent.ts";
import type { Position } from "../../model/position.ts";
import type { StoredRecord } from "../../model/record.ts";
import { askEntries } from "../ask-owner.ts";
import type { LocalIndex } from "../local-index.ts";
import type { World } from "../world.ts";
import { writeAsReplica } from "../write-as-replica.ts";
import { IndexPeer } from "./ask.ts";
import { type Compared, compareWith } from "./compare.ts";
import { recordsFromLog } from "./from-log.ts";

/** Records put or dropped in one write of the index. */
const BATCH = 500;
/** Entries of the owner's log that are read to learn what was changed since. */
const PAGE = 1_000;

export interface Mended {
  readonly put: number;
  readonly drop: number;
  /** Bytes that went over the line for it, both ways. */
  readonly bytes: number;
  readonly tookMs: number;
}

/**
 * Makes a replica's copy what it was when it was written, from the owner's records. The position
 * does not move: what the owner has written since comes by the log, as ever.
 *
 * Why it is safe to take records of an owner that has moved on, or is damaged itself:
 * 1. A record is put only if its contents give the digest that it is told with; for an altered
 *    record that must be the digest that is kept here.
 * 2. Ids that the owner's log has touched since our position are left out: the log brings them.
 * 3. Whatever was put, the copy stays quarantined until all sums make up the position, which the
 *    log has fixed. A wrong record cannot pass that, and a kill in the middle leaves a copy that
 *    is still quarantined and is examined again.
 *
 * Throws PEER_UNAVAILABLE when the owner does not answer, EPOCH_STALE when it has changed.
 */
export function mend(
  world: World,
  local: LocalIndex,
  ownership: Ownership,
  findings: readonly Finding[],
): Promise<Mended> {
  // Nothing is pulled meanwhile: the position that the repair rests on must stay.
  return local.pulling.run(async () => {
    const { clock } = world.options;
    const began = clock.monotonic();
    const peer = new IndexPeer(world, ownership.region, local.name);
    const at = await local.store.position();
    const originals = await fetchAltered(world, local, peer, alteredOf(findings));
    const listed = await fetchListed(world, local, { peer, ownership, at }, findings, originals);
    const put = [...new Map([...originals, ...listed.put].map((one) => [one.id, one])).values()];
    await write(world, local, ownership, { at, put, drop: listed.drop });
    const tookMs = clock.monotonic() - began;
    return { put: put.length, drop: listed.drop.length, bytes: peer.bytes, tookMs };
  });
}

/** Altered records as they were written: the kept digest says which version that is. */
async function fetchAltered(
  world: World,
  { name, store }: LocalIndex,
  peer: IndexPeer,
  ids: readonly string[],
): Promise<StoredRecord[]> {
  const key = world.options.digestKeys?.get(name);
  const kept = new Map((await store.recordsOf(ids)).map(({ id, digest }) => [id, digest]));
  const theirs = await peer.records(ids);
  return theirs.filter((one) => kept.get(one.id) === one.digest && isIntact(one, key));
}

interface Source {
  readonly peer: IndexPeer;
  readonly ownership: Ownership;
  readonly at: Position;
}

/**
 * What is missing or too many. Where kept sums do not make up the position, they lead to it; where
 * records do not make up their kept sums, those sums would hide it, and the ranges are listed. So
 * are ranges with altered records of which the owner has no original: their ids may be what was
 * altered.
 */
async function fetchListed(
  world: World,
  local: LocalIndex,
  { peer, ownership, at }: Source,
  findings: readonly Finding[],
  originals: readonly StoredRecord[],
): Promise<{ readonly put: readonly StoredRecord[]; readonly drop: readonly string[] }> {
  const known = new Set(originals.map(({ id }) => id));
  const leaves = suspectsOf(findings, (id) => !known.has(id));
  const compared: Compared[] = [];
  const options = { most: Number.POSITIVE_INFINITY, whole: true };
  if (findings.some(({ kind }) => kind === "position")) {
    compared.push(await compareWith(world, local, peer, options));
  }
  if (leaves.length > 0)
    compared.push(await compareWith(world, local, peer, { ...options, leaves }));
  if (compared.length === 0) return { put: [], drop: [] };
  const touched = await touchedSince(world, ownership, at.seq);
  const key = world.options.digestKeys?.get(local.name);
  const put = compared
    .flatMap(({ records }) => records)
    .filter((one) => !touched.has(one.id) && isIntact(one, key));
  const drop = compared.flatMap((one) => one.drop).filter((id) => !touched.has(id));
  // Only our own log still has what the owner has changed since, and we have lost.
  const lost = await lostAmong(local, touched);
  const missing = missingOf(findings) - put.length + drop.length;
  const old = missing > 0 ? await recordsFromLog(local, lost, at.seq, key) : [];
  return { put: [...put, ...old], drop: [...new Set(drop)] };
}

/** Ids that the owner's log names above `seq`. */
async function touchedSince(
  world: World,
  ownership: Ownership,
  seq: number,
): Promise<ReadonlySet<string>> {
  const touched = new Set<string>();
  let after = seq;
  for (;;) {
    const entries = await askEntries(world, ownership, after, PAGE);
    for (const { id, op } of entries) if (op !== "watermark") touched.add(id);
    const last = entries.at(-1);
    if (last === undefined) return touched;
    after = last.seq;
  }
}

async function lostAmong({ store }: LocalIndex, ids: ReadonlySet<string>): Promise<string[]> {
  const held = new Set((await store.recordsOf([...ids])).map(({ id }) => id));
  return [...ids].filter((id) => !held.has(id));
}

async function write(
  world: World,
  local: LocalIndex,
  ownership: Ownership,
  fix: {
    readonly at: Position;
    readonly put: readonly StoredRecord[];
    readonly drop: readonly string[];
  },
): Promise<void> {
  const { at, put, drop } = fix;
  for (let from = 0; from < Math.max(put.length, drop.length); from += BATCH) {
    const part = { at, put: put.slice(from, from + BATCH), drop: drop.slice(from, from + BATCH) };
    await writeAsReplica(world, local, ownership, () => local.store.repair(part));
  }
}

/** One sentence for the report and the log. */
export function describeMended(findings: readonly Finding[], { put, drop, bytes, tookMs }: Mended) {
  const done = `put ${put} and dropped ${drop} records`;
  return `${describeFindings(findings)}; ${done} in ${Math.round(tookMs)} ms with ${bytes} bytes`;
}
