import { Command } from "commander";
import { openEstate } from "../app/estate.ts";
import { FaultsError } from "../config/faults.ts";
import { faultsAsJson, formatFaults } from "../config/format-faults.ts";
import { adviseOn } from "../config/spec-rules.ts";
import { EXIT } from "./exit-codes.ts";
import { jsonOption } from "./options.ts";
import { print, printJson } from "./output.ts";

export function checkCommand(): Command {
  return new Command("check")
    .description("judge a spec and all that it names, and show every fault with its place")
    .argument("[spec]", "the spec to judge", "tideover.yaml")
    .addOption(jsonOption())
    .action((spec: string, flags: { json: boolean }) => {
      try {
        const estate = openEstate({ spec });
        const advice = adviseOn(estate.spec);
        if (flags.json) printJson({ ok: true, estate: estate.spec.estate, faults: [], advice });
        else for (const line of [sound(estate), ...advice.map(warning)]) print(line);
      } catch (error) {
        if (!(error instanceof FaultsError)) throw error;
        if (flags.json) printJson(faultsAsJson(error.faults));
        else print(formatFaults(error.faults, { colours: process.stdout.hasColors?.() ?? false }));
        process.exitCode = EXIT.usage;
      }
    });
}

function warning(line: string): string {
  return `warning: ${line}`;
}

function sound({ specPath, spec, release }: ReturnType<typeof openEstate>): string {
  const regions = Object.keys(spec.regions).length;
  const workflows = Object.keys(spec.workflows).length;
  const released = release ? `, release ${release.body.name} ${release.body.version}` : "";
  return `${specPath}: no faults (${regions} regions, ${workflows} workflows${released})`;
}
