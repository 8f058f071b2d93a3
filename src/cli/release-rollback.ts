import { Command } from "commander";
import { connect } from "./connect.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { byOption, timeoutOption } from "./release-activate.ts";
import { type ChangeFlags, changeRelease } from "./release-change.ts";

export function releaseRollbackCommand(): Command {
  return withEstateOptions(new Command("rollback"))
    .description(
      "give every region the last good release again, all at once; asks nobody for artifacts, and overtakes an activation that is under way",
    )
    .addOption(byOption())
    .addOption(timeoutOption("60"))
    .addOption(jsonOption())
    .action((flags: EstateFlags & ChangeFlags) =>
      changeRelease(connect(runningEstate(flags)), { kind: "rollback", release: null }, flags),
    );
}
