import { Command, Option } from "commander";
import { TideoverError } from "../lib/errors.ts";
import type { DrillFlags } from "./drill-run.ts";
import { interruptible } from "./interrupt.ts";
import { jsonOption, withEstateOptions } from "./options.ts";

/** Drills by name; a new one is a line here and a file in drills/. */
const DRILLS = ["region-outage", "capacity-loss", "bad-release", "index-corruption"] as const;

export function drillCommand(): Command {
  return withEstateOptions(new Command("drill"))
    .description("break something on purpose under load, verify the recovery, undo it, and report")
    .argument("<name>", `which drill: ${DRILLS.join(", ")}`)
    .addOption(new Option("-r, --region <name>", "region to break (default: the one that serves)"))
    .addOption(
      new Option(
        "--release <release>",
        "of bad-release: what to activate, as `release activate` takes it (default: release-bad beside the spec)",
      ),
    )
    .addOption(new Option("--report <folder>", "where the report goes (default: the data folder)"))
    .addOption(jsonOption())
    .action((name: string, flags: DrillFlags) =>
      interruptible(async (signal) => {
        requireKnown(name);
        const { drill } = await import("./drill-run.ts");
        await drill(name, flags, signal);
      }),
    );
}

function requireKnown(name: string): void {
  if (DRILLS.some((known) => known === name)) return;
  throw new TideoverError(`there is no drill "${name}"`, {
    code: "USAGE",
    next: `The drills are: ${DRILLS.join(", ")}.`,
  });
}
