import { Command } from "commander";
import { IndexAgents, type OfCopy } from "../app/ask-indexes.ts";
import type { IndexVerification } from "../model/index-verification.ts";
import { formatDuration } from "../model/units.ts";
import { chosenIndexes, chosenRegions, indexOption, regionOption } from "./choose-index.ts";
import { EXIT } from "./exit-codes.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { paint, print, printJson, progress } from "./output.ts";

interface VerifyFlags extends EstateFlags {
  readonly index?: string;
  readonly region?: string;
  readonly json: boolean;
}

export function indexVerifyCommand(): Command {
  return withEstateOptions(new Command("verify"))
    .description(
      "look at every record of each copy now, try its searches, and compare it with the owner's (1: a fault was found)",
    )
    .addOption(indexOption("all"))
    .addOption(regionOption("all"))
    .addOption(jsonOption())
    .action(async (flags: VerifyFlags) => {
      const copies = await verifyAll(flags);
      if (flags.json) printJson({ copies: copies.map(({ told, ...rest }) => told ?? rest) });
      else for (const copy of copies) print(verifyLine(copy));
      process.exitCode = exitOf(copies);
    });
}

async function verifyAll(flags: VerifyFlags): Promise<OfCopy<IndexVerification>[]> {
  const estate = runningEstate(flags);
  const regions = chosenRegions(estate, flags.region);
  const indexes = chosenIndexes(estate, flags.index);
  const agents = new IndexAgents(estate);
  const copies: OfCopy<IndexVerification>[] = [];
  try {
    // One after the other: they may well share a machine, and each reads its whole index.
    for (const index of indexes) {
      for (const region of regions) {
        progress(`tideover: ${region} looks at its copy of ${index}`);
        copies.push(await agents.verify(region, index));
      }
    }
    return copies;
  } finally {
    await agents.close();
  }
}

function exitOf(copies: readonly OfCopy<IndexVerification>[]): number {
  if (copies.some(({ told }) => told !== null && !isWell(told))) return EXIT.failed;
  return copies.some(({ told }) => told === null) ? EXIT.unavailable : EXIT.ok;
}

function isWell({ fault, findings, standing, compared }: IndexVerification): boolean {
  const differs = compared.level && compared.differing > 0;
  return fault === null && findings === null && standing.kind !== "quarantined" && !differs;
}

/** One line a copy: the fault by name first, or what was looked at. */
export function verifyLine({ region, index, told, error }: OfCopy<IndexVerification>): string {
  const where = `${region}: ${index}`;
  if (told === null) return `${where}: ${paint("red", error)}`;
  const { fault, findings, position, tookMs, standing } = told;
  const took = `(${formatDuration(tookMs)})`;
  if (fault !== null) {
    const more = findings === null ? "" : `; ${findings}`;
    return `${where}: ${paint("red", fault.kind)}: ${fault.because}${more} ${took}`;
  }
  if (standing.kind === "quarantined") return `${where}: quarantined: ${standing.because} ${took}`;
  return `${where}: all ${position.count} records are what was written; ${comparedWords(told)} ${took}`;
}

function comparedWords({ compared }: IndexVerification): string {
  const { level, differing, rounds, bytes, error } = compared;
  if (error !== null) return `not compared: ${error}`;
  if (!level) return `not at one position with ${compared.with}`;
  const cost = `${rounds} ${rounds === 1 ? "round" : "rounds"}, ${bytes} bytes`;
  if (differing > 0)
    return paint("red", `${differing} records differ from ${compared.with} (${cost})`);
  return `equal to ${compared.with} (${cost})`;
}
