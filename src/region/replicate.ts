import { findCommon, nextMove } from "../core/reconcile/catch-up.ts";
import { type ErrorCode, messageOf, TideoverError } from "../lib/errors.ts";
import type { LogMark } from "../model/change.ts";
import type { Ownership } from "../model/intent.ts";
import type { Position } from "../model/position.ts";
import { askOwner, type OwnerWord } from "./ask-owner.ts";
import type { LocalIndex } from "./local-index.ts";
import { pullPages } from "./pull-pages.ts";
import { restoreCopy } from "./snapshots/restore.ts";
import type { World } from "./world.ts";
import { writeAsReplica } from "./write-as-replica.ts";

/** What a replica's turn came to. */
export interface Pulled {
  readonly level: boolean;
  /** The copy is being replaced, which is not waited for: nothing can be pulled meanwhile. */
  readonly restoring: boolean;
  readonly own: Position;
  readonly owner: Position;
}

/**
 * Makes moves towards the owner until level, until `until` (monotonic ms) or until something is
 * wrong. Throws PEER_UNAVAILABLE when the owner does not answer, INDEX_DIVERGED when following it
 * would spread a fault, and the index's own errors. Whatever it managed is kept.
 */
export function pull(world: World, local: LocalIndex, until: number): Promise<Pulled> {
  return local.pulling.run(async () => {
    const owner = ownerOf(world, local);
    let turn = await oneMove(world, local, owner, until);
    while (
      !turn.level &&
      !turn.restoring &&
      world.options.clock.monotonic() < until &&
      isRunning(world)
    ) {
      turn = await oneMove(world, local, owner, until);
    }
    return turn;
  });
}

function isRunning(world: World): boolean {
  return !world.stop.signal.aborted;
}

function ownerOf(world: World, { name }: LocalIndex): Ownership {
  const ownership = world.book.of(name);
  if (ownership !== null && ownership.region !== world.options.region) return ownership;
  const who = ownership === null ? "nobody is known to own it" : "this region owns it";
  throw new TideoverError(`index "${name}" has nobody to be pulled from: ${who}`, {
    code: "NOT_READY",
    retry: "later",
  });
}

async function oneMove(
  world: World,
  local: LocalIndex,
  ownership: Ownership,
  until: number,
): Promise<Pulled> {
  const { store } = local;
  const restores = local.restoring.count;
  // Our own side first: the owner may only have moved ahead since.
  const own = await store.position();
  const last = own.seq === 0 ? null : await store.entryAt(own.seq);
  const [base, epoch] = [await store.base(), await store.epoch()];
  const askedAt = world.options.clock.monotonic();
  const word = await askOwner(world, ownership, own.seq);
  local.sawOwner(word.position, world.options.clock.monotonic());
  const restoring = { level: false, restoring: true, own, owner: word.position };
  if (local.restoring.isUnderWay || local.restoring.count !== restores) return restoring;
  const owner = { ...word, epoch: ownership.epoch, atOurSeq: word.at };
  const move = nextMove({ own: { position: own, base, epoch, last }, owner });
  switch (move.move) {
    case "level":
      local.wasLevel(askedAt, ownership.epoch);
      return { level: true, restoring: false, own, owner: word.position };
    case "pull":
      try {
        const to = word.position.seq;
        await pullPages(world, local, ownership, { after: move.after, to, until });
      } catch (error) {
        if (!isDivergence(error) || !isUnproven(word, own.seq)) throw error;
        const aside = last !== null && last.epoch < ownership.epoch;
        await beginRestore(world, local, ownership, { because: messageOf(error), aside });
        return restoring;
      }
      break;
    case "restore":
      await beginRestore(world, local, ownership, move);
      return restoring;
    case "rewind":
      await rewind(world, local, ownership, {
        to: move.to,
        upTo: Math.min(own.seq, word.position.seq),
        floor: Math.max(base, word.base),
      });
      break;
    case "refuse":
      throw new TideoverError(`index "${local.name}": ${move.because}`, {
        code: "INDEX_DIVERGED",
        next: `Compare the copies in ${world.options.region} and ${ownership.region} before anything else writes them.`,
      });
  }
  const reached = await store.position();
  const level = isEqual(reached, word.position);
  if (level) local.wasLevel(askedAt, ownership.epoch);
  return { level, restoring: false, own: reached, owner: word.position };
}

/**
 * In the background: it may take minutes, in which this agent looks, reports and obeys. What only
 * we may have is taken back before, and so kept.
 */
async function beginRestore(
  world: World,
  local: LocalIndex,
  ownership: Ownership,
  { because, aside }: { readonly because: string; readonly aside: boolean },
): Promise<void> {
  const failure = local.restoring.failure(world.options.clock.monotonic());
  if (failure !== null) throw failure;
  if (aside) {
    await writeAsReplica(world, local, ownership, async () =>
      local.rewindTo(await local.store.base()),
    );
  }
  restoreCopy(world, local, because).catch((error: unknown) => {
    const { logger, region } = world.options;
    const told = `${region} could not restore its copy of ${local.name}: ${messageOf(error)}`;
    if (!world.stop.signal.aborted) logger.warn({ index: local.name }, told);
  });
}

/** The owner's log begins right above our seq: only its next entry tells that we are others. */
function isUnproven({ at, base }: OwnerWord, seq: number): boolean {
  return at === null && seq > 0 && seq === base;
}

function isDivergence(error: unknown): boolean {
  return error instanceof TideoverError && error.code === "INDEX_DIVERGED";
}

function isEqual(a: Position, b: Position): boolean {
  return a.seq === b.seq && a.digest === b.digest;
}

async function rewind(
  world: World,
  local: LocalIndex,
  ownership: Ownership,
  { to, upTo, floor }: { to: number | "search"; upTo: number; floor: number },
): Promise<void> {
  const search = findCommon(upTo, floor);
  const common = to === "search" ? await lastCommon(world, local, ownership, search) : to;
  const orphans = await writeAsReplica(world, local, ownership, () => local.rewindTo(common));
  const { region } = world.options;
  world.options.logger.warn(
    { index: local.name, orphans, to: common },
    `${region} took back ${orphans} changes of ${local.name} above ${common} that ${ownership.region} does not have; they are kept as orphans`,
  );
}

async function lastCommon(
  world: World,
  local: LocalIndex,
  ownership: Ownership,
  search: ReturnType<typeof findCommon>,
): Promise<number> {
  let step = search.next();
  while (!step.done) {
    const own: LogMark | null = await local.store.entryAt(step.value);
    const { at } = await askOwner(world, ownership, step.value);
    step = search.next({ own, owner: at });
  }
  return step.value;
}

/**
 * Pulls for at most `timeoutMs` and says where both copies stand. `owner` is null when it does not
 * answer, or is not known. A region that owns the index is level with itself. Throws what `pull`
 * throws beyond that: a copy that must not follow its owner is no slow one.
 */
export async function catchUp(
  world: World,
  local: LocalIndex,
  timeoutMs: number,
): Promise<{ own: Position; owner: Position | null }> {
  const { clock, region } = world.options;
  const until = clock.monotonic() + timeoutMs;
  for (;;) {
    if (world.book.of(local.name)?.region === region) {
      const own = await local.store.position();
      return { own, owner: own };
    }
    try {
      const { own, owner } = await pull(world, local, until);
      return { own, owner };
    } catch (error) {
      if (!(error instanceof TideoverError)) throw error;
      if (GONE.includes(error.code)) return { own: await local.store.position(), owner: null };
      // The ownership moved in the middle: the next round asks the new owner.
      if (error.retry !== "now" || clock.monotonic() >= until) throw error;
    }
  }
}

const GONE: readonly ErrorCode[] = ["PEER_UNAVAILABLE", "NOT_READY"];
