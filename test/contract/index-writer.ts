import type { StoredRecord } from "../../src/model/record.ts";
import type { EmbeddedChange, IndexStore } from "../../src/ports/index.ts";
import { deletion, upsert, watermark } from "./index-support.ts";

/**
 * A process that writes to an index as fast as it can until it is killed, and says on its standard
 * output how far it got after each call that returned. Started by index-durability.ts with
 * {module, open, place, mode} as JSON.
 */
interface Job {
  readonly module: string;
  readonly open: string;
  readonly place: unknown;
  readonly mode: "append" | "apply" | "rewind" | "trim" | "repair" | "restore" | "hot restore";
}

type Open = (place: unknown) => Promise<IndexStore>;
type Turn = (index: IndexStore, scratch: IndexStore, turn: number) => Promise<void>;

/** Five changes: documents that come, change hands and go, so that a half batch would show. */
function batch(turn: number): EmbeddedChange[] {
  const id = `d${turn % 7}`;
  return [
    upsert(id, { text: `turn ${turn}`, numbers: [1, turn, 2], labels: [`case-${turn % 3}`] }),
    upsert("always", { text: `turn ${turn}`, audience: turn % 2 === 0 ? "acme" : "public" }),
    upsert(`gone${turn}`),
    turn % 2 === 0 ? deletion(`gone${turn}`) : watermark(turn, turn % 3 === 0 ? "acme" : ""),
    deletion(`d${(turn + 3) % 7}`),
  ];
}

/** Documents that all say which turn wrote them: whoever sees two turns at once sees a half. */
function chorus(turn: number): EmbeddedChange[] {
  return Array.from({ length: 30 }, (_, n) => upsert(`r${n}`, { text: `turn ${turn}` }));
}

const TURNS: Readonly<Record<Job["mode"], Turn>> = {
  append: async (index, _, turn) => void (await index.append(1, batch(turn))),
  apply: async (index, scratch, turn) => {
    const before = await scratch.position();
    await scratch.append(1, batch(turn));
    await index.apply(await scratch.entriesAfter(before.seq, 5));
  },
  rewind: async (index, _, turn) => {
    await index.append(1, batch(turn));
    const { seq } = await index.position();
    if (turn % 2 === 1) await index.rewindTo(seq - 5);
  },
  trim: async (index, _, turn) => {
    const { seq } = await index.append(1, batch(turn));
    await index.trimLog(seq - 12);
  },
  repair: async (index, scratch, turn) => {
    if (turn === 0) await index.append(1, chorus(0));
    await scratch.append(1, chorus(turn));
    const put: StoredRecord[] = await scratch.recordsOf(chorus(turn).map(({ id }) => id));
    await index.repair({ at: await index.position(), put, drop: [] });
  },
  restore: (index, scratch, turn) => restoreTurn(index, scratch, turn),
  "hot restore": (index, scratch, turn) => restoreTurn(index, scratch, turn, 6),
};

async function restoreTurn(
  index: IndexStore,
  scratch: IndexStore,
  turn: number,
  hot?: number,
): Promise<void> {
  await scratch.append(1, chorus(turn));
  const { position, epoch, watermarks, records } = await scratch.openSnapshot();
  const from = { position, epoch, watermarks, records: records(2) };
  await index.restore(hot === undefined ? from : { ...from, hot });
}

async function main(job: Job): Promise<void> {
  const loaded = (await import(job.module)) as Record<string, Open>;
  const open = loaded[job.open];
  if (open === undefined) throw new Error(`${job.module} does not export ${job.open}`);
  const index = await open(job.place);
  const { MemoryIndex } = await import("../../src/sim/index.ts");
  const scratch = new MemoryIndex();
  for (let turn = 0; ; turn++) {
    await TURNS[job.mode](index, scratch, turn);
    const [{ seq }, orphans] = [await index.position(), (await index.orphans()).length];
    process.stdout.write(`${JSON.stringify({ seq, orphans, turn })}\n`);
  }
}

await main(JSON.parse(process.argv[2] ?? "{}") as Job);
