import { Command } from "commander";
import { IndexAgents } from "../app/ask-indexes.ts";
import { chosenIndex, chosenRegions, indexOption, regionOption } from "./choose-index.ts";
import { EXIT } from "./exit-codes.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { paint, print, printJson, progress } from "./output.ts";

interface RepairFlags extends EstateFlags {
  readonly index?: string;
  readonly region?: string;
  readonly json: boolean;
}

interface Repaired {
  readonly region: string;
  readonly cured: boolean;
  readonly because: string;
}

export function indexRepairCommand(): Command {
  return withEstateOptions(new Command("repair"))
    .description(
      "cure copies of an index from their owner now: agents do it by themselves, this does not wait for them (1: not cured)",
    )
    .addOption(indexOption("the spec's only one"))
    .addOption(regionOption("all but the owner"))
    .addOption(jsonOption())
    .action(async (flags: RepairFlags) => {
      const repaired = await repairAll(flags);
      if (flags.json) printJson({ copies: repaired });
      else for (const one of repaired) print(lineOf(one));
      if (repaired.some(({ cured }) => !cured)) process.exitCode = EXIT.failed;
    });
}

async function repairAll(flags: RepairFlags): Promise<Repaired[]> {
  const estate = runningEstate(flags);
  const index = chosenIndex(estate, flags.index);
  const regions = chosenRegions(estate, flags.region);
  const agents = new IndexAgents(estate);
  const repaired: Repaired[] = [];
  try {
    for (const region of regions) {
      const state = await agents.state(region, index);
      // Only a person who names the owner is told that it cannot be repaired from itself.
      if (flags.region === undefined && state.told?.owner === region) continue;
      progress(`tideover: ${region} examines its copy of ${index}`);
      const { told, error } = await agents.repair(region, index);
      repaired.push({ region, ...(told ?? { cured: false, because: error ?? "" }) });
    }
    return repaired;
  } finally {
    await agents.close();
  }
}

function lineOf({ region, cured, because }: Repaired): string {
  return `${region}: ${cured ? "whole" : paint("red", "not cured")}: ${because}`;
}
