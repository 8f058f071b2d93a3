import { Command } from "commander";
import { connect } from "./connect.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { print, printJson } from "./output.ts";
import { byOption } from "./release-activate.ts";

export function releaseContinueCommand(): Command {
  return withEstateOptions(new Command("continue"))
    .description(
      "let an activation go on that is paused because its release is neither proven good nor bad, in this one region",
    )
    .addOption(byOption())
    .addOption(jsonOption())
    .action(async (flags: EstateFlags & { json: boolean; by?: string }) => {
      const by = flags.by ?? "operator";
      const control = connect(runningEstate(flags));
      const request = await control.changeRelease("continue", { release: null, by });
      if (flags.json) printJson(request);
      else print(`asked; \`tideover release status\` and the record say how it goes on`);
    });
}
