import { setTimeout } from "node:timers/promises";
import { Command } from "commander";
import { IndexAgents, type ReindexWord } from "../app/ask-indexes.ts";
import { chosenIndex, indexOption } from "./choose-index.ts";
import { EXIT } from "./exit-codes.ts";
import { ownerOf } from "./index-snapshot.ts";
import { interruptible } from "./interrupt.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { print, printJson, progress } from "./output.ts";

interface ReindexFlags extends EstateFlags {
  readonly index?: string;
  readonly json: boolean;
}

const LOOK_MS = 1_000;

export function indexReindexCommand(): Command {
  return withEstateOptions(new Command("reindex"))
    .description(
      "embed every record of an index again with the active release's model; until it is done the index answers nobody",
    )
    .addOption(indexOption("the spec's only one"))
    .addOption(jsonOption())
    .action((flags: ReindexFlags) => interruptible((signal) => run(flags, signal)));
}

async function run(flags: ReindexFlags, signal: AbortSignal): Promise<void> {
  const estate = runningEstate(flags);
  const index = chosenIndex(estate, flags.index);
  const agents = new IndexAgents(estate);
  try {
    const region = await ownerOf(estate, agents, index);
    await agents.reindex(region, index);
    const word = await waited(agents, region, index, signal);
    if (flags.json) printJson({ region, index, ...word });
    else print(resultOf(index, word));
    if (word === null || word.error !== null) process.exitCode = EXIT.failed;
  } finally {
    await agents.close();
  }
}

/** The agent goes on whether or not somebody waits. */
async function waited(
  agents: IndexAgents,
  region: string,
  index: string,
  signal: AbortSignal,
): Promise<ReindexWord> {
  for (;;) {
    const word = await agents.reindexState(region, index);
    if (word === null || !word.running) return word;
    progress(`tideover: ${region}: ${word.done} of ${word.total} records of ${index}`);
    await setTimeout(LOOK_MS, undefined, { signal });
  }
}

function resultOf(index: string, word: ReindexWord): string {
  if (word === null) return `${index}: the agent was started anew meanwhile; run this again`;
  const { embedding, done, total, error } = word;
  if (error !== null) return `${index}: ${done} of ${total} records, then: ${error}`;
  return `${index}: all ${total} records are embedded as ${embedding}`;
}
