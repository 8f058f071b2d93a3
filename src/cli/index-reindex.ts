import { setTimeout } from "node:timers/promises";
import { Command, Option } from "commander";
import { IndexAgents, type ReindexOrder, type ReindexWord } from "../app/ask-indexes.ts";
import type { Estate } from "../app/estate.ts";
import { findRelease } from "../app/find-release.ts";
import { TideoverError } from "../lib/errors.ts";
import { chosenIndex, indexOption } from "./choose-index.ts";
import { EXIT } from "./exit-codes.ts";
import { ownerOf } from "./index-snapshot.ts";
import { interruptible } from "./interrupt.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { print, printJson, progress } from "./output.ts";

interface ReindexFlags extends EstateFlags {
  readonly index?: string;
  readonly release?: string;
  readonly drop?: string;
  readonly json: boolean;
}

const LOOK_MS = 1_000;

export function indexReindexCommand(): Command {
  return withEstateOptions(new Command("reindex"))
    .description(
      "embed every record of an index with another model, beside the vectors that it has: searches go on, and a release that asks with the new ones can be activated when all have passed",
    )
    .addOption(indexOption("the spec's only one"))
    .addOption(
      new Option(
        "--release <release>",
        "whose embedding model: FOLDER, LAYOUT:TAG or https://REGISTRY/REPO:TAG (default: the active release's)",
      ),
    )
    .addOption(
      new Option(
        "--drop <version>",
        "take the vectors of this embedding version away, once no release asks with it any more",
      ).conflicts("release"),
    )
    .addOption(jsonOption())
    .action((flags: ReindexFlags) => interruptible((signal) => run(flags, signal)));
}

async function run(flags: ReindexFlags, signal: AbortSignal): Promise<void> {
  const estate = runningEstate(flags);
  const index = chosenIndex(estate, flags.index);
  const agents = new IndexAgents(estate);
  try {
    const order = await orderOf(estate, flags);
    const region = await ownerOf(estate, agents, index);
    await agents.reindex(region, index, order);
    const word = await waited(agents, region, index, signal);
    if (flags.json) printJson({ region, index, ...word });
    else print(resultOf(index, word));
    if (word === null || word.error !== null) process.exitCode = EXIT.failed;
  } finally {
    await agents.close();
  }
}

async function orderOf(estate: Estate, { release, drop }: ReindexFlags): Promise<ReindexOrder> {
  if (drop !== undefined) return { drop };
  if (release === undefined) return {};
  const { body } = await findRelease(release, estate);
  if (body.embedding !== undefined) return { embedding: body.embedding };
  throw new TideoverError(`release ${body.name} ${body.version} names no embedding model`, {
    code: "RELEASE_INVALID",
    next: "Add `embedding:` with id, dimensions and fingerprint to its release.yaml.",
  });
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
    const { work, embedding, done, total } = word;
    const verb = work === "drop" ? "without" : "with";
    progress(`tideover: ${region}: ${done} of ${total} records of ${index} ${verb} ${embedding}`);
    await setTimeout(LOOK_MS, undefined, { signal });
  }
}

function resultOf(index: string, word: ReindexWord): string {
  if (word === null) return `${index}: the agent was started anew meanwhile; run this again`;
  const { work, embedding, done, total, error, accepted } = word;
  if (error !== null) return `${index}: ${done} of ${total} records, then: ${error}`;
  if (work === "drop") return `${index}: no record has a vector of ${embedding} any more`;
  return `${index}: all ${total} records have a vector of ${embedding}, and the copy is accepted (${accepted})`;
}
