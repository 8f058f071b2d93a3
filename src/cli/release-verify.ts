import { Command, Option } from "commander";
import { layoutOf, withLayout } from "../app/release-places.ts";
import { verifyRelease } from "../app/release-signing.ts";
import { readPublicKey } from "../config/release-key.ts";
import { signatureError } from "../core/release/signature.ts";
import { TideoverError } from "../lib/errors.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { jsonOption } from "./options.ts";
import { print, printJson } from "./output.ts";
import { lasting, numberOf, readKeyFile } from "./release-sign.ts";

interface VerifyFlags {
  readonly key: string[];
  readonly atLeast?: string;
  readonly json: boolean;
}

export function releaseVerifyCommand(): Command {
  return new Command("verify")
    .description("verify every digest of a release, and that a trusted key signed it")
    .argument("<release>", "LAYOUT, LAYOUT:TAG or LAYOUT@sha256:DIGEST")
    .addOption(
      new Option(
        "--key <file...>",
        "public keys that are trusted; one that signed it is enough",
      ).makeOptionMandatory(),
    )
    .addOption(new Option("--at-least <n>", "refuse release numbers below this"))
    .addOption(jsonOption())
    .action(async (text: string, flags: VerifyFlags) => {
      try {
        await verify(text, flags);
      } catch (error) {
        if (!flags.json || !(error instanceof TideoverError)) throw error;
        printJson({ ok: false, code: error.code, because: error.message });
        process.exitCode = exitCodeOf(error.code);
      }
    });
}

async function verify(text: string, flags: VerifyFlags): Promise<void> {
  const { folder, ref } = layoutOf(text);
  const trust = flags.key.map((file) => readPublicKey(readKeyFile(file), file));
  const { release, judged } = await withLayout(folder, (store) =>
    verifyRelease(store, ref, {
      trust,
      now: Date.now(),
      atLeast: numberOf(flags.atLeast) ?? null,
    }),
  );
  if (!judged.ok) throw signatureError(judged);
  const { name, version } = release.body;
  const { keyId, number, expires } = judged;
  const { digest } = release;
  if (flags.json) return printJson({ ok: true, digest, name, version, keyId, number, expires });
  const numbered = number === null ? "without a number" : `as number ${number}`;
  print(`release ${name} ${version}  ${digest}`);
  print(`  every digest holds; signed by key ${keyId} ${numbered}, ${lasting(expires)}`);
}
