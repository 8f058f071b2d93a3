import { findCommon, type LogMark, type Move, nextMove } from "../core/reconcile/catch-up.ts";
import { type ErrorCode, messageOf, TideoverError } from "../lib/errors.ts";
import type { Ownership } from "../model/intent.ts";
import type { Position } from "../model/position.ts";
import { askEntries, askOwner } from "./ask-owner.ts";
import type { LocalIndex } from "./local-index.ts";
import { restoreCopy } from "./snapshots/restore.ts";
import type { World } from "./world.ts";

/** Entries asked for at once. The owner sends fewer when they are large. */
const PAGE = 200;

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
    let turn = await oneMove(world, local, owner);
    while (!turn.level && !turn.restoring && world.options.clock.monotonic() < until && isRunning(world)) {
      turn = await oneMove(world, local, owner);
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

async function oneMove(world: World, local: LocalIndex, ownership: Ownership): Promise<Pulled> {
  const { store } = local;
  // Our own side first: the owner may only have moved ahead since.
  const own = await store.position();
  const last = own.seq === 0 ? null : await store.entryAt(own.seq);
  const [base, epoch] = [await store.base(), await store.epoch()];
  const word = await askOwner(world, ownership, own.seq);
  local.sawOwner(word.position, world.options.clock.monotonic());
  const restoring = { level: false, restoring: true, own, owner: word.position };
  if (local.restoring.isUnderWay) return restoring;
  const owner = { ...word, epoch: ownership.epoch, atOurSeq: word.at };
  const move = nextMove({ own: { position: own, base, epoch, last }, owner });
  switch (move.move) {
    case "level":
      return { level: true, restoring: false, own, owner: word.position };
    case "pull":
      await pullPages(world, local, ownership, move.after);
      break;
    case "restore":
      await beginRestore(world, local, ownership, move);
      return restoring;
    case "rewind":
      await rewind(world, local, ownership, {
        to: move.to,
        shorter: Math.min(own.seq, word.position.seq),
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
  { because, aside }: Extract<Move, { move: "restore" }>,
): Promise<void> {
  const failure = local.restoring.failure(world.options.clock.monotonic());
  if (failure !== null) throw failure;
  if (aside) {
    await write(world, local, ownership, async () => local.rewindTo(await local.store.base()));
  }
  restoreCopy(world, local, because).catch((error: unknown) => {
    const { logger, region } = world.options;
    const told = `${region} could not restore its copy of ${local.name}: ${messageOf(error)}`;
    if (!world.stop.signal.aborted) logger.warn({ index: local.name }, told);
  });
}

function isEqual(a: Position, b: Position): boolean {
  return a.seq === b.seq && a.digest === b.digest;
}

async function applyPage(
  world: World,
  local: LocalIndex,
  ownership: Ownership,
  after: number,
): Promise<void> {
  const entries = await askEntries(world, ownership, after, PAGE);
  await write(world, local, ownership, () => local.store.apply(entries));
}

async function rewind(
  world: World,
  local: LocalIndex,
  ownership: Ownership,
  { to, shorter }: { to: number | "search"; shorter: number },
): Promise<void> {
  const common = to === "search" ? await lastCommon(world, local, ownership, shorter) : to;
  const orphans = await write(world, local, ownership, () => local.rewindTo(common));
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
  upTo: number,
): Promise<number> {
  const search = findCommon(upTo);
  let step = search.next();
  while (!step.done) {
    const own: LogMark | null = await local.store.entryAt(step.value);
    const { at } = await askOwner(world, ownership, step.value);
    step = search.next({ own, owner: at });
  }
  return step.value;
}

/**
 * A replica's write. The ownership is compared under the lock that an ownership message takes: what
 * a page from a former owner would add after the promotion was told, nobody has accounted for.
 */
function write<T>(
  world: World,
  local: LocalIndex,
  from: Ownership,
  work: () => Promise<T>,
): Promise<T> {
  return local.writing.run(async () => {
    const now = world.book.of(local.name);
    if (now?.epoch === from.epoch && now.region === from.region) return work();
    throw new TideoverError(
      `index "${local.name}" moved from ${from.region} to ${now?.region} during a pull`,
      { code: "EPOCH_STALE", retry: "now" },
    );
  });
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
