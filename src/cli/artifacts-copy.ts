import { Command, InvalidArgumentError, Option } from "commander";
import { copyBetween } from "../app/artifact-places.ts";
import { interruptible } from "./interrupt.ts";
import { jsonOption } from "./options.ts";
import { print, printJson, progress } from "./output.ts";

export interface CopyFlags {
  readonly fromAuthEnv?: string;
  readonly toAuthEnv?: string;
  readonly caFile?: string;
  readonly parallel?: number;
  readonly json: boolean;
}

const TELL_MS = 1_000;
const MOST_PARALLEL = 64;

export function artifactsCopyCommand(): Command {
  return withCopyOptions(new Command("copy"))
    .description(
      "copy an artifact with its signatures and SBOMs, every byte compared; goes on after an interruption",
    )
    .argument("<from>", "https://host/team/app:tag (or @sha256:…), or FOLDER:tag of an OCI layout")
    .argument("<to>", "likewise; without a tag it gets the one that it has")
    .addOption(
      new Option(
        "--from-auth-env <name>",
        "environment variable with user:password or a token of the first",
      ),
    )
    .action((from: string, to: string, flags: CopyFlags) => copyAndTell(from, to, flags));
}

/** What every command that copies to another place takes. */
export function withCopyOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--to-auth-env <name>",
        "environment variable with user:password or a token of the second",
      ),
    )
    .addOption(
      new Option(
        "--ca-file <pem>",
        "certificates that a registry's may be of, beside the system's",
      ),
    )
    .addOption(
      new Option("--parallel <count>", "blobs copied at one time (default: 3)").argParser(countOf),
    )
    .addOption(jsonOption());
}

export function copyAndTell(from: string, to: string, flags: CopyFlags): Promise<void> {
  const { caFile, parallel, fromAuthEnv, toAuthEnv } = flags;
  return interruptible(async (signal) => {
    const told = teller();
    const report = await copyBetween({
      ...{ from, to, parallel, signal, ...told },
      fromOptions: { authEnv: fromAuthEnv, caFile },
      toOptions: { authEnv: toAuthEnv, caFile },
    });
    if (flags.json) return printJson(report);
    const { digest, tag, copiedBlobs, copiedBytes, totalBytes, referrers } = report;
    const more = report.extraReferrers.length;
    print(`${digest} is at ${to.replace(/:[^/:]*$/, "")} as ${tag}, every byte compared`);
    print(
      `copied ${sizeOf(copiedBytes)} of ${sizeOf(totalBytes)} in ${copiedBlobs} blobs; ${referrers.length} signatures and the like are on both sides${more === 0 ? "" : `, and ${more} more only in the target, which stay there`}`,
    );
  });
}

/** A line a second on how far it is: for a person who waits. */
function teller() {
  const started = performance.now();
  let toldAt = started;
  let moved = 0;
  let missing = 0;
  return {
    onPlan: ({
      bytes,
    }: {
      readonly bytes: { readonly missing: number; readonly cached: number };
    }) => {
      missing = bytes.missing;
      const kept = bytes.cached === 0 ? "" : `, ${sizeOf(bytes.cached)} are kept of before`;
      if (missing > 0) progress(`tideover: ${sizeOf(missing)} to copy${kept}`);
    },
    onBytes: (bytes: number) => {
      moved += bytes;
      const now = performance.now();
      if (now - toldAt < TELL_MS) return;
      toldAt = now;
      const rate = (moved * 1_000) / (now - started);
      const left = Math.max(0, Math.ceil((missing - moved) / rate));
      progress(
        `tideover: ${sizeOf(moved)} of ${sizeOf(missing)}, ${sizeOf(rate)}/s, ${left} s left`,
      );
    },
  };
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

export function sizeOf(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value.toFixed(0) : value.toFixed(1)} ${UNITS[unit]}`;
}

function countOf(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= MOST_PARALLEL) return count;
  throw new InvalidArgumentError(`write a whole number from 1 to ${MOST_PARALLEL}.`);
}
