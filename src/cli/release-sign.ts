import { readFileSync } from "node:fs";
import { Command, Option } from "commander";
import { layoutOf, withLayout } from "../app/release-places.ts";
import { nextReleaseNumber, signRelease } from "../app/release-signing.ts";
import { readEnvironment } from "../config/env.ts";
import { publicKeyOf, readPrivateKey } from "../config/release-key.ts";
import { releaseKeyId } from "../core/release/signature.ts";
import { messageOf, TideoverError } from "../lib/errors.ts";
import { parseDuration } from "../model/units.ts";
import { jsonOption } from "./options.ts";
import { print, printJson } from "./output.ts";

interface SignFlags {
  readonly key: string;
  readonly number?: string;
  readonly expires?: string;
  readonly reference?: string;
  readonly json: boolean;
}

export function releaseSignCommand(): Command {
  return new Command("sign")
    .description("sign a built release with a key of cosign's format, beside it in its layout")
    .argument("<release>", "LAYOUT, LAYOUT:TAG or LAYOUT@sha256:DIGEST")
    .addOption(new Option("--key <file>", "private key").makeOptionMandatory())
    .addOption(
      new Option("--number <n>", "release number (default: one above the layout's highest)"),
    )
    .addOption(new Option("--expires <when>", "ISO time, or from now on, such as 90d"))
    .addOption(
      new Option("--reference <name>", "repository to sign it as (default: tideover/NAME)"),
    )
    .addOption(jsonOption())
    .action(sign);
}

async function sign(text: string, flags: SignFlags): Promise<void> {
  const { folder, ref } = layoutOf(text);
  const { cosignPassword } = readEnvironment(process.env);
  const key = await readPrivateKey(readKeyFile(flags.key), flags.key, cosignPassword);
  const signed = await withLayout(folder, async (store) =>
    signRelease(store, ref, key, {
      number: numberOf(flags.number) ?? (await nextReleaseNumber(store)),
      expires: expiryOf(flags.expires, Date.now()),
      reference: flags.reference ?? null,
    }),
  );
  const keyId = releaseKeyId(publicKeyOf(key));
  const { digest, number, expires } = signed;
  if (flags.json) return printJson({ digest, keyId, number, expires });
  print(`${digest} is signed by key ${keyId} as number ${number}, ${lasting(expires)}`);
}

export function lasting(expires: string | null): string {
  return expires === null ? "without an end" : `until ${expires}`;
}

/** Throws USAGE with the file's name and why it cannot be read. */
export function readKeyFile(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new TideoverError(`the key ${file} cannot be read: ${messageOf(error)}`, {
      code: "USAGE",
      next: "Name a key file with --key.",
      cause: error,
    });
  }
}

/** undefined: none was given. */
export function numberOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw usage(`"${text}" is no release number`, "Give a whole number, such as 7.");
}

function expiryOf(text: string | undefined, now: number): string | null {
  if (text === undefined) return null;
  const duration = parseDuration(text);
  const at = duration === undefined ? Date.parse(text) : now + duration;
  if (Number.isNaN(at))
    throw usage(`"${text}" is no time`, "Give 90d, or a time such as 2027-01-31T00:00:00Z.");
  if (at <= now) throw usage(`"${text}" is past`, "Give a time that is to come.");
  // To the second, which is as exact as people write it.
  return new Date(at).toISOString().replace(/\.\d{3}Z$/, "Z");
}

function usage(message: string, next: string): TideoverError {
  return new TideoverError(message, { code: "USAGE", next });
}
