import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command, Option } from "commander";
import { indexEmbeddings } from "../app/index-embeddings.ts";
import { LATEST, publishTo, readPlace, withLayout } from "../app/release-places.ts";
import { FaultsError } from "../config/faults.ts";
import { faultsAsJson, formatFaults } from "../config/format-faults.ts";
import { type LoadedRelease, loadRelease } from "../config/load-release.ts";
import type { ReadRelease } from "../core/release/files.ts";
import { TideoverError } from "../lib/errors.ts";
import { EXIT } from "./exit-codes.ts";
import { type EstateFlags, jsonOption, runningEstate, withEstateOptions } from "./options.ts";
import { print, printJson } from "./output.ts";

interface BuildFlags extends EstateFlags {
  readonly output?: string;
  readonly tag?: string;
  readonly against?: string;
  readonly acceptChanges: boolean;
  readonly json: boolean;
}

export function releaseBuildCommand(): Command {
  return withEstateOptions(new Command("build"))
    .description("judge a release folder, give its digest, and write it as an OCI image layout")
    .argument("[folder]", "the release folder", "release")
    .addOption(new Option("-o, --output <layout>", "OCI layout to write it to (default: none)"))
    .addOption(new Option("-t, --tag <tag>", "tag beside `latest` (default: its version)"))
    .addOption(
      new Option(
        "--against <release>",
        "last good release to compare with (default: `latest` of the output)",
      ),
    )
    .addOption(
      new Option("--accept-changes", "what doubled, shrank or is gone was meant").default(false),
    )
    .addOption(jsonOption())
    .action(async (folder: string, flags: BuildFlags) => {
      try {
        await build(folder, flags);
      } catch (error) {
        if (!(error instanceof FaultsError)) throw error;
        if (flags.json) printJson(faultsAsJson(error.faults));
        else print(formatFaults(error.faults, { colours: process.stdout.hasColors?.() ?? false }));
        process.exitCode = EXIT.usage;
      }
    });
}

async function build(folder: string, flags: BuildFlags): Promise<void> {
  const release = loadRelease(folder, {
    lastGood: await lastGoodOf(flags),
    indexes: flags.spec || flags.data ? await indexEmbeddings(runningEstate(flags)) : null,
    acceptChanges: flags.acceptChanges,
  });
  const tags = [LATEST, ...tagOf(release, flags)];
  const { output } = flags;
  if (output !== undefined) await publishTo(output, release.built, tags);
  show(release, flags, tags);
}

async function lastGoodOf({ against, output }: BuildFlags): Promise<ReadRelease | null> {
  if (against !== undefined) return readPlace(against);
  if (output === undefined || !existsSync(join(output, "oci-layout"))) return null;
  const tags = await withLayout(output, (store) => store.tags());
  return tags.includes(LATEST) ? readPlace(`${output}:${LATEST}`) : null;
}

const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** A version such as `1.0 beta` is a fine version, and no tag. */
function tagOf({ body }: LoadedRelease, { tag }: BuildFlags): string[] {
  if (tag === undefined) return TAG.test(body.version) ? [body.version] : [];
  if (TAG.test(tag)) return [tag];
  throw new TideoverError(`"${tag}" is no tag`, {
    code: "USAGE",
    next: "Write letters, digits, dots, dashes and underscores, at most 128.",
  });
}

function show({ digest, body, built }: LoadedRelease, flags: BuildFlags, tags: string[]): void {
  const { name, version } = body;
  const files = built.files.map(({ path }) => path);
  const layout = flags.output ?? null;
  if (flags.json) {
    printJson({ ok: true, digest, name, version, files, layout, tags });
    return;
  }
  print(`release ${name} ${version}  ${digest}`);
  print(`  ${files.length} files: ${files.join(", ")}`);
  if (layout !== null) print(`  in ${layout}, tagged ${tags.join(" and ")}`);
}
