#!/usr/bin/env node
import { enableCompileCache } from "node:module";
import { readEnvironment } from "../config/env.ts";
import { messageOf, TideoverError } from "../lib/errors.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import { progress } from "./output.ts";
import { buildProgram } from "./program.ts";

// An estate starts seven processes from the same sources: compiled once, they start in half the time.
enableCompileCache();

// `tideover status | head` closes the pipe early: that is the reader's choice and no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(EXIT.ok);
  throw error;
});

try {
  for (const warning of readEnvironment(process.env).warnings) progress(`tideover: ${warning}`);
  await buildProgram().parseAsync(process.argv);
} catch (error) {
  process.exitCode = report(error);
}

/** A user's mistake is told in their words; only what nobody foresaw shows where it happened. */
function report(error: unknown): number {
  if (error instanceof TideoverError) {
    process.stderr.write(`tideover: ${error.message}\n`);
    if (error.next) process.stderr.write(`  ${error.next}\n`);
    return exitCodeOf(error.code);
  }
  process.stderr.write(`tideover: ${messageOf(error)}\n`);
  process.stderr.write(
    "  This is a fault in Tideover. Run it again with TIDEOVER_DEBUG=1 and report what it prints.\n",
  );
  if (process.env.TIDEOVER_DEBUG && error instanceof Error)
    process.stderr.write(`${error.stack}\n`);
  return EXIT.failed;
}
