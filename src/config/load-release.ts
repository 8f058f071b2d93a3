import { join } from "node:path";
import { type BuiltRelease, buildRelease } from "../core/release/build.ts";
import { kindOf, type ReleaseFile } from "../core/release/files.ts";
import { lintRelease } from "../core/release/lint/lint.ts";
import type { LintInput, ReleaseFinding } from "../core/release/lint/rule.ts";
import type { ReleaseDigest } from "../model/ids.ts";
import type { Release } from "../model/release.ts";
import { deepFreeze } from "./deep-freeze.ts";
import { type Fault, FaultsError, fileFault, sortFaults } from "./faults.ts";
import { formatFaults } from "./format-faults.ts";
import { shownPath } from "./read-text.ts";
import { type FolderFile, readReleaseFiles } from "./release-files.ts";

export interface LoadedRelease {
  /**
   * Digest of the release's OCI index: equal wherever the files say the same, whatever their order,
   * names or line ends.
   */
  readonly digest: ReleaseDigest;
  readonly body: Release;
  /** The release as an OCI artifact: what is signed, copied, and verified in every region. */
  readonly built: BuiltRelease;
}

export type ReleaseResult =
  | { readonly ok: true; readonly release: LoadedRelease }
  | { readonly ok: false; readonly faults: readonly Fault[] };

export interface ReleaseOptions {
  /** What it is compared with; see core/release/lint. Absent: not compared. */
  readonly lastGood?: LintInput["lastGood"];
  readonly indexes?: LintInput["indexes"];
  /** A person has looked at what is only unlikely, such as a file that doubled, and means it. */
  readonly acceptChanges?: boolean;
}

/**
 * Reads the folder of a release: `release.yaml`, `prompts/*.md`, and where they are there
 * `routes/*.yaml`, `policies/*.yaml` and `evaluation.yaml`. Throws RELEASE_INVALID with every fault.
 */
export function loadRelease(directory: string, options: ReleaseOptions = {}): LoadedRelease {
  const result = readRelease(directory, options);
  if (result.ok) return result.release;
  throw new FaultsError(formatFaults(result.faults), "RELEASE_INVALID", result.faults);
}

export function readRelease(directory: string, options: ReleaseOptions = {}): ReleaseResult {
  const read = readReleaseFiles(directory);
  const faults = [...read.flatMap(({ faults }) => faults), ...promptFaults(directory, read)];
  if (faults.length > 0) return { ok: false, faults: sortFaults(faults) };
  const built = buildRelease(read.flatMap(({ file }): ReleaseFile[] => (file ? [file] : [])));
  const lint = lintFaults(directory, read, built, options);
  if (lint.length > 0) return { ok: false, faults: sortFaults(lint) };
  return { ok: true, release: { digest: built.digest, body: deepFreeze(built.body), built } };
}

function promptFaults(directory: string, read: readonly FolderFile[]): Fault[] {
  const folder = shownPath(join(directory, "prompts"));
  const isPrompt = ({ file, faults }: FolderFile): boolean =>
    kindOf(file?.path ?? "")?.kind === "prompt" ||
    faults.some((fault) => fault.file.startsWith(folder));
  if (read.some(isPrompt)) return [];
  const instead = "add a Markdown file for each prompt, with `name:` in its head";
  return [fileFault(folder, "holds no prompts", instead)];
}

function lintFaults(
  directory: string,
  read: readonly FolderFile[],
  release: BuiltRelease,
  { lastGood = null, indexes = null, acceptChanges = false }: ReleaseOptions,
): Fault[] {
  return lintRelease({ release, lastGood, indexes })
    .filter(({ unlikely }) => !(unlikely && acceptChanges))
    .map((finding) => placed(directory, read, finding));
}

function placed(directory: string, read: readonly FolderFile[], finding: ReleaseFinding): Fault {
  const found = read.find(({ file }) => file?.path === finding.file);
  if (found !== undefined) return found.faultOf(finding);
  // A file that the last good release had, and this folder has not.
  return fileFault(shownPath(join(directory, finding.file)), finding.message, finding.instead);
}
