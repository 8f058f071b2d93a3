import { Command, Option } from "commander";
import { type CopyFlags, copyAndTell, withCopyOptions } from "./artifacts-copy.ts";

export function releasePushCommand(): Command {
  return withCopyOptions(new Command("push"))
    .description("copy a built release with its signatures to where the regions copy from")
    .argument("<release>", "OCI layout of the built release: FOLDER, FOLDER:tag or FOLDER@sha256:…")
    .argument("<to>", "https://host/team/app:tag, or another FOLDER:tag")
    .addOption(
      new Option("--from-auth-env <name>", "environment variable for a release in a registry"),
    )
    .action((release: string, to: string, flags: CopyFlags) => copyAndTell(release, to, flags));
}
