import type { EmbeddedChange, IndexStore } from "../../src/ports/index.ts";
import { deletion, upsert } from "./index-support.ts";

/**
 * A process that writes to an index as fast as it can until it is killed, and says on its standard
 * output how far it got after each call that returned. Started by index-durability.ts with
 * {module, open, place, mode} as JSON.
 */
interface Job {
  readonly module: string;
  readonly open: string;
  readonly place: unknown;
  readonly mode: "append" | "apply" | "rewind";
}

type Open = (place: unknown) => Promise<IndexStore>;

/** Five changes: documents that come, change hands and go, so that a half batch would show. */
function batch(turn: number): EmbeddedChange[] {
  const id = `d${turn % 7}`;
  return [
    upsert(id, { text: `turn ${turn}`, numbers: [1, turn, 2] }),
    upsert("always", { text: `turn ${turn}`, audience: turn % 2 === 0 ? "acme" : "public" }),
    upsert(`gone${turn}`),
    deletion(`gone${turn}`),
    deletion(`d${(turn + 3) % 7}`),
  ];
}

/** Gives the calls of one turn, each to be acknowledged. */
async function turnOf(job: Job, index: IndexStore, scratch: IndexStore, turn: number) {
  if (job.mode !== "apply") await index.append(1, batch(turn));
  else {
    const before = await scratch.position();
    await scratch.append(1, batch(turn));
    await index.apply(await scratch.entriesAfter(before.seq, 5));
  }
  if (job.mode === "rewind" && turn % 2 === 1) {
    const { seq } = await index.position();
    await index.rewindTo(seq - 5);
  }
}

async function main(job: Job): Promise<void> {
  const loaded = (await import(job.module)) as Record<string, Open>;
  const open = loaded[job.open];
  if (open === undefined) throw new Error(`${job.module} does not export ${job.open}`);
  const index = await open(job.place);
  const { MemoryIndex } = await import("../../src/sim/index.ts");
  const scratch = new MemoryIndex();
  for (let turn = 0; ; turn++) {
    await turnOf(job, index, scratch, turn);
    const [{ seq }, orphans] = [await index.position(), (await index.orphans()).length];
    process.stdout.write(`${JSON.stringify({ seq, orphans })}\n`);
  }
}

await main(JSON.parse(process.argv[2] ?? "{}") as Job);
