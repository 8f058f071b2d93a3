import { Command } from "commander";
import { artifactsCopyCommand } from "./artifacts-copy.ts";
import { artifactsStatusCommand } from "./artifacts-status.ts";

export function artifactsCommand(): Command {
  return new Command("artifacts")
    .description("copies of releases, models and images, and where they are")
    .addCommand(artifactsStatusCommand())
    .addCommand(artifactsCopyCommand());
}
