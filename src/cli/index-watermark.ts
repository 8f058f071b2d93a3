import { Command, Option } from "commander";
import { keysOf } from "../app/estate.ts";
import { sendChanges } from "../app/local-estate.ts";
import { TideoverError } from "../lib/errors.ts";
import { chosenIndex, indexOption } from "./choose-index.ts";
import { connect } from "./connect.ts";
import { interruptible } from "./interrupt.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { print, printJson } from "./output.ts";

interface WatermarkFlags extends EstateFlags {
  readonly index?: string;
  readonly tenant?: string;
  readonly at?: string;
  readonly json: boolean;
}

export function indexWatermarkCommand(): Command {
  return withEstateOptions(new Command("watermark"))
    .description("vouch that all changes up to a time were sent to an index, as its pipeline does")
    .addOption(indexOption("the spec's only one"))
    .addOption(
      new Option(
        "-t, --tenant <name>",
        "of this tenant's documents only; `public`: of everybody's",
      ),
    )
    .addOption(new Option("--at <time>", "ISO time of the source (default: now)"))
    .addOption(jsonOption())
    .action((flags: WatermarkFlags) => interruptible((signal) => run(flags, signal)));
}

async function run(flags: WatermarkFlags, signal: AbortSignal): Promise<void> {
  const estate = runningEstate(flags);
  const index = chosenIndex(estate, flags.index);
  const sourceTime = timeOf(flags.at);
  const audience = flags.tenant === undefined ? {} : { audience: flags.tenant };
  const changes = [{ op: "watermark" as const, sourceTime, ...audience }];
  const { token } = keysOf(estate);
  const sent = await sendChanges(estate, connect(estate), token, { index, changes, signal });
  if (flags.json) return printJson({ index, sourceTime, ...audience, position: null, ...sent });
  const whose = flags.tenant === undefined ? "everything" : `everything of ${flags.tenant}`;
  print(`${index}: ${whose} up to ${new Date(sourceTime).toISOString()} was sent.`);
}

function timeOf(text: string | undefined): number {
  if (text === undefined) return Date.now();
  const time = Date.parse(text);
  if (!Number.isNaN(time)) return time;
  throw new TideoverError(`"${text}" is no time`, {
    code: "USAGE",
    next: "Write it as 2026-01-31T12:00:00Z.",
  });
}
