import { Command, InvalidArgumentError, Option } from "commander";
import { takeFingerprint } from "../app/fingerprint.ts";
import { fingerprintYaml, writeFingerprint } from "../config/write-fingerprint.ts";
import { TideoverError } from "../lib/errors.ts";
import { jsonOption } from "./options.ts";
import { print, printJson, progress } from "./output.ts";

interface FingerprintFlags {
  readonly url: readonly string[];
  readonly model: string;
  readonly keyEnv?: string;
  readonly repeat: number;
  readonly write?: string;
  readonly json: boolean;
}

const MOST_REPEATS = 20;

/** `tideover release fingerprint`: what a good copy of the model does, for release.yaml. */
export function releaseFingerprintCommand(): Command {
  return new Command("fingerprint")
    .description("record how a good copy of the model answers, log-probabilities included")
    .requiredOption(
      "-u, --url <base...>",
      "base URL of a good copy, without /v1; several may follow",
    )
    .requiredOption("-m, --model <id>", "model id to ask for")
    .addOption(new Option("--key-env <name>", "environment variable with the server's API key"))
    .addOption(
      new Option("--repeat <times>", "how often each copy is asked").default(3).argParser(times),
    )
    .addOption(new Option("--write <folder>", "write it into the release.yaml of this folder"))
    .addOption(jsonOption())
    .action(run);
}

async function run(flags: FingerprintFlags): Promise<void> {
  const { url, model, repeat } = flags;
  const taken = await takeFingerprint({ urls: url, model, key: keyOf(flags), repeat });
  if (taken.behaviour === null) {
    progress("tideover: the server tells no log-probabilities: only its words are recorded");
  }
  const path = flags.write === undefined ? null : writeFingerprint(flags.write, taken);
  if (flags.json) return printJson({ ...taken, written: path });
  if (path === null) return print(fingerprintYaml(taken).trimEnd());
  print(`${path} has the fingerprint ${taken.fingerprint}${toleranceOf(taken.behaviour)}.`);
  print("The release has another digest now: raise its version, and build it again.");
}

function toleranceOf(behaviour: { readonly tolerance: number } | null): string {
  return behaviour === null ? "" : `, log-probabilities within ${behaviour.tolerance}`;
}

function keyOf({ keyEnv }: FingerprintFlags): string | undefined {
  if (keyEnv === undefined) return undefined;
  const key = process.env[keyEnv];
  if (key !== undefined && key !== "") return key;
  throw new TideoverError(`the environment variable ${keyEnv} is not set`, {
    code: "USAGE",
    next: "Set it to the server's API key, or leave --key-env out.",
  });
}

function times(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= MOST_REPEATS) return count;
  throw new InvalidArgumentError(`Give a whole number from 1 to ${MOST_REPEATS}.`);
}
