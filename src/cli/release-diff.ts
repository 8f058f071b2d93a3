import { Command } from "commander";
import { readPlace } from "../app/release-places.ts";
import { diffReleases, type FieldChange, type FileChange } from "../core/release/diff.ts";
import { EXIT } from "./exit-codes.ts";
import { jsonOption } from "./options.ts";
import { paint, print, printJson } from "./output.ts";

export function releaseDiffCommand(): Command {
  return new Command("diff")
    .description("what differs between two releases, by file and field (exit code 1 if anything)")
    .argument("<a>", "a release folder, or LAYOUT, LAYOUT:TAG, LAYOUT@sha256:DIGEST")
    .argument("<b>", "the other one")
    .addOption(jsonOption())
    .action(async (a: string, b: string, { json }: { json: boolean }) => {
      const [before, after] = await Promise.all([readPlace(a), readPlace(b)]);
      const files = diffReleases(before, after);
      if (files.length > 0) process.exitCode = EXIT.failed;
      if (json) return printJson({ a: before.digest, b: after.digest, files });
      for (const line of diffLines(files)) print(line);
      if (files.length === 0) print(`no difference: both are ${before.digest}`);
    });
}

const MARKS = { added: "+", removed: "-", changed: "~" } as const;
const COLOURS = { added: "green", removed: "red", changed: "yellow" } as const;

/** As a person reads them: a file, its fields, then its lines, in the manner of a patch. */
export function diffLines(files: readonly FileChange[]): string[] {
  return files.flatMap(({ path, change, fields, lines }) => [
    paint(COLOURS[change], `${MARKS[change]} ${path}`),
    ...fields.map((field) => `    ${fieldLine(field)}`),
    ...lines.map(({ change, line, text }) =>
      paint(COLOURS[change], `    ${MARKS[change]} ${String(line).padStart(3)} | ${text}`),
    ),
  ]);
}

function fieldLine({ field, before, after }: FieldChange): string {
  if (before === undefined) return `${field}: ${JSON.stringify(after)} (new)`;
  if (after === undefined) return `${field}: gone (was ${JSON.stringify(before)})`;
  return `${field}: ${JSON.stringify(before)} -> ${JSON.stringify(after)}`;
}
