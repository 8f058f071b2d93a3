import { writeFileSync } from "node:fs";
import { Command, Option } from "commander";
import { readEnvironment } from "../config/env.ts";
import { makeReleaseKeys } from "../config/release-key.ts";
import { messageOf, TideoverError } from "../lib/errors.ts";
import { jsonOption } from "./options.ts";
import { print, printJson } from "./output.ts";

interface KeygenFlags {
  readonly outputKeyPrefix: string;
  readonly unencrypted: boolean;
  readonly json: boolean;
}

export function releaseKeygenCommand(): Command {
  return new Command("keygen")
    .description("make a key pair that signs releases, in cosign's format")
    .addOption(
      new Option("--output-key-prefix <name>", "name of the files, before .key and .pub").default(
        "cosign",
      ),
    )
    .addOption(
      new Option(
        "--unencrypted",
        "write the private key as it is (default: encrypted by COSIGN_PASSWORD)",
      ).default(false),
    )
    .addOption(jsonOption())
    .action(keygen);
}

async function keygen({ outputKeyPrefix, unencrypted, json }: KeygenFlags): Promise<void> {
  const { privateKey, publicKey, keyId } = await makeReleaseKeys(
    unencrypted ? null : requiredPassword(),
  );
  const files = { private: `${outputKeyPrefix}.key`, public: `${outputKeyPrefix}.pub` };
  writeNew(files.private, privateKey, 0o600);
  writeNew(files.public, publicKey, 0o644);
  if (json) return printJson({ keyId, files });
  print(`key ${keyId}`);
  print(`  ${files.private}  signs: keep it where releases are signed, and nowhere else`);
  print(`  ${files.public}  verifies: name it in the spec of every region`);
}

function requiredPassword(): string {
  const { cosignPassword } = readEnvironment(process.env);
  if (cosignPassword !== null) return cosignPassword;
  throw new TideoverError("there is no password to encrypt the private key with", {
    code: "USAGE",
    next: "Set COSIGN_PASSWORD, or give --unencrypted for a key that a vault keeps.",
  });
}

/** A pair that is overwritten is a pair lost, with all that it has signed. */
function writeNew(file: string, text: string, mode: number): void {
  try {
    writeFileSync(file, text, { mode, flag: "wx" });
  } catch (error) {
    const there = error instanceof Error && "code" in error && error.code === "EEXIST";
    throw new TideoverError(there ? `${file} is there already` : messageOf(error), {
      code: there ? "USAGE" : "DISK_NOT_WRITABLE",
      next: "Give another --output-key-prefix.",
      cause: error,
    });
  }
}
