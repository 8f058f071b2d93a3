import { setTimeout } from "node:timers/promises";
import { Command, Option } from "commander";
import { IndexAgents, type RestoreWord } from "../app/ask-indexes.ts";
import { TideoverError } from "../lib/errors.ts";
import { chosenIndex, indexOption } from "./choose-index.ts";
import { EXIT } from "./exit-codes.ts";
import { interruptible } from "./interrupt.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { print, printJson, progress } from "./output.ts";

interface RestoreFlags extends EstateFlags {
  readonly index?: string;
  readonly region: string;
  readonly snapshot?: string;
  readonly asOwner: boolean;
  readonly json: boolean;
}

const LOOK_MS = 500;
/** A restored copy that nobody has accepted after this is not waited for. */
const PROOF_MS = 120_000;

export function indexRestoreCommand(): Command {
  return withEstateOptions(new Command("restore"))
    .description(
      "replace a region's copy of an index by the newest snapshot that its owner's stream goes on from (1: it was not accepted)",
    )
    .addOption(indexOption("the spec's only one"))
    .addOption(
      new Option("-r, --region <name>", "whose copy is replaced").makeOptionMandatory(true),
    )
    .addOption(
      new Option(
        "--as-owner",
        "restore the owner itself; what was written after the snapshot is lost",
      ).default(false),
    )
    .addOption(
      new Option("--snapshot <ref>", "tag or digest, with --as-owner (default: the newest there)"),
    )
    .addOption(jsonOption())
    .action((flags: RestoreFlags) => interruptible((signal) => run(flags, signal)));
}

async function run(flags: RestoreFlags, signal: AbortSignal): Promise<void> {
  const estate = runningEstate(flags);
  const index = chosenIndex(estate, flags.index);
  const { region, asOwner, snapshot = null } = flags;
  if (snapshot !== null && !asOwner) throw ownerOnly();
  const agents = new IndexAgents(estate);
  try {
    await agents.restore(region, index, { snapshot, asOwner });
    const word = await waited(agents, region, index, signal);
    const whole = word.error === null && word.standing.kind === "whole";
    if (flags.json) printJson({ region, index, ...word });
    else print(`${region}: ${resultOf(index, word)}`);
    if (!whole) process.exitCode = EXIT.failed;
  } finally {
    await agents.close();
  }
}

/** Until it is whole or has failed. The agent goes on whether or not somebody waits. */
async function waited(
  agents: IndexAgents,
  region: string,
  index: string,
  signal: AbortSignal,
): Promise<RestoreWord> {
  let end = Number.POSITIVE_INFINITY;
  for (;;) {
    const word = await agents.restoreState(region, index);
    if (word.restore === null) {
      if (end === Number.POSITIVE_INFINITY) end = performance.now() + PROOF_MS;
      if (word.error !== null || word.standing.kind === "whole") return word;
      if (performance.now() > end) return word;
    }
    progress(`tideover: ${region}: ${progressOf(word)}`);
    await setTimeout(LOOK_MS, undefined, { signal });
  }
}

/** One line on how far a restore is. */
export function progressOf({
  restore,
  standing,
}: Pick<RestoreWord, "restore" | "standing">): string {
  if (restore === null) return standing.kind === "quarantined" ? standing.because : standing.kind;
  const { snapshot, loaded, total, servable } = restore;
  if (snapshot === null) return "looks for a snapshot that fits";
  const share = servable === null ? "" : `, ${(servable * 100).toFixed(1)} % of the traffic`;
  const serves = standing.kind === "partial" ? " (answering)" : "";
  return `${loaded} of ${total} records${share}${serves}`;
}

function resultOf(index: string, { position, standing, error }: RestoreWord): string {
  if (error !== null) return `${index} was not restored: ${error}`;
  const at = `${index} is at seq ${position.seq} with ${position.count} records`;
  if (standing.kind === "quarantined") return `${at}, and answers nobody: ${standing.because}`;
  return `${at}, accepted, and answers`;
}

function ownerOnly(): TideoverError {
  return new TideoverError("a replica is restored from what its owner's stream goes on from", {
    code: "USAGE",
    next: "Leave --snapshot out: the newest that fits is taken by itself.",
  });
}
