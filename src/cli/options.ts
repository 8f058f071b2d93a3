import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Command, Option } from "commander";
import { dataDirAt } from "../app/data-dir.ts";
import { type Estate, type EstateOptions, openEstate } from "../app/estate.ts";
import { runningSpec } from "../app/supervisor-api.ts";
import { TideoverError } from "../lib/errors.ts";

/** The spec of the estate that comes with Tideover: what `npm start` and `npm run demo` run. */
export const SAMPLE_SPEC = join(
  dirname(fileURLToPath(import.meta.url)),
  ...["..", "..", "examples", "estate", "tideover.yaml"],
);

const DEFAULT_SPEC = "tideover.yaml";
const DEFAULT_DATA = ".tideover";

export interface EstateFlags {
  readonly spec?: string;
  readonly data?: string;
}

/** `--spec` and `--data`, the same for every command that works on an estate. */
export function withEstateOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "-s, --spec <file>",
        "the estate's spec (default: ./tideover.yaml, or the estate that is up here)",
      ).env("TIDEOVER_SPEC"),
    )
    .addOption(
      new Option(
        "-d, --data <folder>",
        "where the estate keeps its state (default: ./.tideover/<estate>)",
      ).env("TIDEOVER_DATA"),
    );
}

/** `TIDEOVER_DATA= tideover up` means "not set", as in a shell, and not the present folder. */
function given(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

export function jsonOption(): Option {
  return new Option("--json", "print one JSON document on standard output, for machines").default(
    false,
  );
}

/** The estate that the flags name, as its file says it: for what starts something. */
export function specifiedEstate(
  flags: EstateFlags,
  read: EstateOptions["read"] = "everything",
): Estate {
  return openEstate({ spec: given(flags.spec) ?? DEFAULT_SPEC, data: given(flags.data), read });
}

/**
 * The estate that the flags mean, as it runs: for what asks something. `up --free-ports` runs a
 * copy of the spec with other ports, and asking at the original's would find nobody, or another
 * estate.
 */
export function runningEstate(flags: EstateFlags): Estate {
  const spec = given(flags.spec);
  const data = given(flags.data);
  if (spec === undefined && data === undefined && !existsSync(DEFAULT_SPEC)) {
    return onlyEstateHere();
  }
  const up = data ? runningSpec(dataDirAt(data)) : undefined;
  const named = openEstate({ spec: spec ?? up ?? DEFAULT_SPEC, data });
  const running = runningSpec(named.data);
  return running ? openEstate({ spec: running, data: named.data.root }) : named;
}

function onlyEstateHere(): Estate {
  const folders = existsSync(DEFAULT_DATA) ? readdirSync(DEFAULT_DATA) : [];
  const up = folders.flatMap((folder) => {
    const data = join(DEFAULT_DATA, folder);
    const spec = runningSpec(dataDirAt(data));
    return spec ? [{ spec, data }] : [];
  });
  const [only, another] = up;
  if (!only) return openEstate({ spec: DEFAULT_SPEC });
  if (!another) return openEstate(only);
  throw new TideoverError(`${up.length} estates are up here`, {
    code: "USAGE",
    next: `Name one with --data: ${up.map(({ data }) => data).join(", ")}.`,
  });
}
