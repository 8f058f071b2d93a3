import type { Ownership } from "../model/intent.ts";
import type { Position } from "../model/position.ts";
import { askPage, type LogPage } from "./ask-owner.ts";
import type { LocalIndex } from "./local-index.ts";
import type { World } from "./world.ts";
import { writeAsReplica } from "./write-as-replica.ts";

/** Entries asked for at once. The owner sends fewer when they are large. */
const PAGE = 200;
const PACKED_PAGE = 1_000;

/**
 * Applies the owner's entries page by page, until where it stood when it was asked. The next page is
 * on its way while one is applied. That our log is the begin of its log was proven for the first;
 * the others follow on from that, under the same ownership, and each entry is compared when applied.
 */
export async function pullPages(
  world: World,
  local: LocalIndex,
  ownership: Ownership,
  { after, to, until }: { after: number; to: number; until: number },
): Promise<void> {
  let next: Promise<LogPage> | null = askNext(world, ownership, after);
  while (next !== null) {
    const page: LogPage = await next;
    const { entries } = page;
    const last: number = entries.at(-1)?.seq ?? to;
    const goesOn: boolean = last < to && mayGoOn(world, until);
    next = goesOn ? askNext(world, ownership, last) : null;
    await writeAsReplica(world, local, ownership, () => local.store.apply(entries));
  }
}

function askNext(world: World, ownership: Ownership, after: number): Promise<LogPage> {
  const limit = world.options.bulk === undefined ? PAGE : PACKED_PAGE;
  const page = askPage(world, ownership, { after, limit });
  // Heard when it is awaited; until then it is no unhandled one.
  page.catch(() => undefined);
  return page;
}

function mayGoOn({ options, stop }: World, until: number): boolean {
  return !stop.signal.aborted && options.clock.monotonic() < until;
}

/**
 * From a level copy on: asks the owner for what comes next, which it sends as soon as it has it, so
 * that a copy lags by a round trip and not by the time between two looks. Ends at `until`, and
 * earlier when the next move is not plainly to apply what comes. Gives whether all went well.
 */
export async function followStream(
  world: World,
  local: LocalIndex,
  ownership: Ownership,
  from: Position,
  until: number,
): Promise<boolean> {
  if (world.options.bulk === undefined) return false;
  const { clock, spec } = world.options;
  const waitMs = spec.detection.interval;
  let own = from;
  while (mayGoOn(world, until) && isStill(world, ownership)) {
    const askedAt = clock.monotonic();
    const page = await awaitPage(world, ownership, own.seq, waitMs);
    if (page === null || page.position === null) return false;
    const reached = await applyOnTop(world, local, ownership, own, page);
    if (reached === null) return false;
    local.sawOwner(page.position, clock.monotonic());
    own = reached;
    const isLevel = page.position.seq === own.seq && page.position.digest === own.digest;
    if (isLevel) local.wasLevel(askedAt, ownership.epoch);
    // Another history, or too much for one page at a time: who looks at both logs decides.
    else if (page.position.seq === own.seq || isFar(own, page)) return false;
  }
  // An agent that stops does not begin another turn.
  return isStill(world, ownership) && !world.stop.signal.aborted;
}

/** null when the agent stops: a question that it broke off itself is no news of the owner. */
async function awaitPage(world: World, ownership: Ownership, after: number, waitMs: number) {
  try {
    return await askPage(world, ownership, { after, limit: PACKED_PAGE, waitMs });
  } catch (error) {
    if (world.stop.signal.aborted) return null;
    throw error;
  }
}

function isFar(own: Position, { position, entries }: LogPage): boolean {
  return entries.length === 0 || (position?.seq ?? 0) - own.seq > PACKED_PAGE;
}

/** null when somebody else has moved this copy since, or the index has another owner. */
function applyOnTop(
  world: World,
  local: LocalIndex,
  ownership: Ownership,
  own: Position,
  { entries }: LogPage,
): Promise<Position | null> {
  if (entries.length === 0) return Promise.resolve(own);
  return local.pulling.run(async () => {
    if (local.restoring.isUnderWay || !isStill(world, ownership)) return null;
    if ((await local.store.position()).seq !== own.seq) return null;
    return writeAsReplica(world, local, ownership, () => local.store.apply(entries));
  });
}

function isStill(world: World, { index, region, epoch }: Ownership): boolean {
  const now = world.book.of(index);
  return now?.region === region && now.epoch === epoch;
}
