import { Command, type CommanderError } from "commander";
import { VERSION } from "../app/version.ts";
import { artifactsCommand } from "./artifacts.ts";
import { checkCommand } from "./check.ts";
import { demoCommand } from "./demo.ts";
import { drillCommand } from "./drill.ts";
import { EXIT, EXIT_CODES_HELP } from "./exit-codes.ts";
import { indexCommand } from "./indexes.ts";
import { keyCommand } from "./key.ts";
import { moveCommands } from "./move.ts";
import { releaseCommand } from "./release.ts";
import { roleCommands } from "./roles.ts";
import { runbookCommand } from "./runbook.ts";
import { statusCommand } from "./status.ts";
import { upCommand } from "./up.ts";

/** The whole command line: one file a command, one line here. */
export function buildProgram(): Command {
  const program = new Command("tideover")
    .description(
      "Multi-region disaster recovery for AI platforms: moves the state with the traffic, proves the standby before it opens, and leaves evidence.",
    )
    .version(VERSION, "-V, --version", "which Tideover this is")
    .addHelpText("after", EXIT_CODES_HELP)
    .showSuggestionAfterError()
    .showHelpAfterError("(add --help for what this command takes)")
    .helpCommand(false);
  const commands = [
    upCommand(),
    statusCommand(),
    drillCommand(),
    runbookCommand(),
    ...moveCommands(),
    checkCommand(),
    indexCommand(),
    artifactsCommand(),
    releaseCommand(),
    keyCommand(),
    demoCommand(),
    ...roleCommands(),
  ];
  for (const command of commands) {
    program.addCommand(command);
    for (const one of [command, ...command.commands]) one.copyInheritedSettings(program);
  }
  useExitCodes(program);
  return program;
}

/** Commander exits with 1 for a wrong flag; here that number means that something failed. */
function useExitCodes(program: Command): void {
  for (const command of [program, ...program.commands]) {
    command.exitOverride(leave);
    for (const inner of command.commands) inner.exitOverride(leave);
  }
}

function leave(error: CommanderError): never {
  process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage);
}
