import type { IndexName } from "../model/ids.ts";
import type { EmbeddedChange } from "../ports/index.ts";
import type { ChangeSource } from "../ports/source.ts";
import type { Part } from "./ticker.ts";
import { appendWhole } from "./whole-writes.ts";
import type { World } from "./world.ts";

/** Notes that are taken at once. */
const PAGE = 500;
/** How often an idle source says that it is alive; each time is an entry of the log. */
const WATERMARK_MS = 10_000;

/** One part for each index that is fed from somebody else's table. */
export function captureParts(world: World): Part[] {
  const everyMs = world.options.spec.detection.interval;
  return [...(world.options.sources ?? [])].map(([name, source]) => {
    const vouch = watermarks();
    return {
      name: `source of index ${name}`,
      everyMs,
      work: () => drain(world, name, source, vouch),
    };
  });
}

/**
 * Takes changes until there are no more. Only the owner's agent does: what another one appended
 * would be refused, and the notes are kept until the owner is here again.
 */
async function drain(
  world: World,
  name: IndexName,
  source: ChangeSource,
  vouch: (levelAt: number | null) => EmbeddedChange[],
): Promise<void> {
  const { region, logger } = world.options;
  for (let level = false; !level && !world.stop.signal.aborted; ) {
    if (world.book.of(name)?.region !== region) return;
    const { changes, refused, levelAt, taken } = await source.next(PAGE);
    level = levelAt !== null;
    const entries = [...changes, ...vouch(levelAt)];
    if (entries.length > 0) await appendWhole(world, world.index(name), entries);
    // After the append: a kill in between gives the same documents once more, and loses none.
    if (changes.length + refused.length > 0) await taken();
    for (const fault of refused) logger.warn({ index: name }, `left out: ${fault}`);
  }
}

/** "All up to then was sent." */
function watermarks(): (levelAt: number | null) => EmbeddedChange[] {
  let last = 0;
  return (levelAt) => {
    if (levelAt === null || levelAt - last < WATERMARK_MS) return [];
    last = levelAt;
    const none = { title: "", text: "", audience: "", labels: [], payload: {}, vector: "" };
    return [{ ...none, op: "watermark", id: "", embedding: "", sourceTime: levelAt }];
  };
}
