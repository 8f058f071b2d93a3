import type { z } from "zod";
import { canonicalJson, sha256 } from "../../lib/canonical.ts";
import { TideoverError } from "../../lib/errors.ts";
import {
  evaluationFileSchema,
  policyFileSchema,
  promptHeadSchema,
  type Release,
  releaseFileSchema,
  routeFileSchema,
} from "../../model/release.ts";

/** One file of a release: what it says, and nothing of how it was stored. */
export interface ReleaseFile {
  /** In the release folder, with forward slashes: `prompts/assistant.md`. */
  readonly path: string;
  /** What its YAML says; of a Markdown file, what its head says. */
  readonly data: unknown;
  /** A Markdown file's text below its head, without white space at its ends; null for YAML. */
  readonly text: string | null;
}

/** A release as it was read, from a folder or from an artifact. */
export interface ReadRelease {
  /** Sorted by path. */
  readonly files: readonly ReleaseFile[];
  readonly body: Release;
}

export type FileKind = "release" | "evaluation" | "prompt" | "route" | "policy";

const KINDS: readonly { readonly kind: FileKind; readonly path: RegExp }[] = [
  { kind: "release", path: /^release\.yaml$/ },
  { kind: "evaluation", path: /^evaluation\.yaml$/ },
  { kind: "prompt", path: /^prompts\/([^/]+)\.md$/ },
  { kind: "route", path: /^routes\/([^/]+)\.yaml$/ },
  { kind: "policy", path: /^policies\/([^/]+)\.yaml$/ },
];

/** What a file is by its path, and its name without folder and suffix; null: no part of a release. */
export function kindOf(path: string): { readonly kind: FileKind; readonly stem: string } | null {
  const found = KINDS.find((one) => one.path.test(path));
  if (found === undefined) return null;
  return { kind: found.kind, stem: found.path.exec(path)?.[1] ?? found.kind };
}

/**
 * The bytes that a file has in a release: keys sorted, comments gone, line ends `\n`. A checkout on
 * another system, or an editor that turns keys round, would else make another release of the same
 * words. YAML becomes JSON, which is YAML as well: what is pulled back can be built again.
 */
export function bytesOf({ data, text }: ReleaseFile): Buffer {
  if (text === null) return Buffer.from(`${JSON.stringify(sorted(data), null, 2)}\n`);
  const head = Object.entries(asRecord(sorted(data)))
    .map(([key, value]) => `${key}: ${canonicalJson(value)}\n`)
    .join("");
  return Buffer.from(`---\n${head}---\n\n${text}\n`);
}

/** The file that has these bytes. Throws RELEASE_INVALID for bytes that `bytesOf` never makes. */
export function fileOf(path: string, bytes: Uint8Array): ReleaseFile {
  const file = parse(path, Buffer.from(bytes).toString("utf8"));
  if (file === null || !bytesOf(file).equals(bytes)) {
    throw invalid(`${path} is not written as a release's files are`);
  }
  return file;
}

const MARKDOWN = /^---\n((?:[^\s:]+: .*\n)*)---\n\n([\s\S]*)\n$/;

function parse(path: string, raw: string): ReleaseFile | null {
  try {
    if (!path.endsWith(".md")) return { path, data: JSON.parse(raw), text: null };
    const [, head = "", text] = MARKDOWN.exec(raw) ?? [];
    if (text === undefined) return null;
    return { path, data: Object.fromEntries(head.split("\n").flatMap(headEntry)), text };
  } catch {
    return null;
  }
}

function headEntry(line: string): [string, unknown][] {
  const at = line.indexOf(": ");
  return at < 0 ? [] : [[line.slice(0, at), JSON.parse(line.slice(at + 2))]];
}

function sorted(data: unknown): unknown {
  return JSON.parse(canonicalJson(data));
}

function asRecord(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}

/**
 * What the files say together: the one value that gateways serve from. Throws RELEASE_INVALID when
 * a file has not the shape of its kind; whoever read a folder has told the places before.
 */
export function bodyOf(files: readonly ReleaseFile[]): Release {
  const routes = entriesOf(files, "route", ({ path, data }) => shaped(routeFileSchema, path, data));
  const policies = entriesOf(files, "policy", ({ path, data }) =>
    shaped(policyFileSchema, path, data),
  );
  const evaluation = files.find(({ path }) => kindOf(path)?.kind === "evaluation");
  return {
    ...shaped(releaseFileSchema, "release.yaml", files.find(isRelease)?.data),
    prompts: Object.fromEntries(entriesOf(files, "prompt", promptOf)),
    ...(routes.length > 0 ? { routes: Object.fromEntries(routes) } : {}),
    ...(policies.length > 0 ? { policies: Object.fromEntries(policies) } : {}),
    ...(evaluation
      ? { evaluation: shaped(evaluationFileSchema, evaluation.path, evaluation.data) }
      : {}),
  };
}

const isRelease = ({ path }: ReleaseFile): boolean => kindOf(path)?.kind === "release";

function entriesOf<Value>(
  files: readonly ReleaseFile[],
  wanted: FileKind,
  read: (file: ReleaseFile) => Value,
): [name: string, value: Value][] {
  return files.flatMap((file): [string, Value][] => {
    const found = kindOf(file.path);
    return found?.kind === wanted ? [[found.stem, read(file)]] : [];
  });
}

function promptOf({ path, data, text }: ReleaseFile): Release["prompts"][string] {
  shaped(promptHeadSchema, path, data);
  const system = text ?? "";
  if (system === "") throw invalid(`${path} has no text`);
  return { system, version: sha256(system) };
}

function shaped<Schema extends z.ZodType>(
  schema: Schema,
  path: string,
  data: unknown,
): z.output<Schema> {
  const read = schema.safeParse(data);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const place = issue?.path.map(String).join(".") ?? "";
  throw invalid(`${path}: ${place === "" ? "" : `${place}: `}${issue?.message ?? "is wrong"}`);
}

function invalid(message: string): TideoverError {
  return new TideoverError(message, {
    code: "RELEASE_INVALID",
    next: "Build the release again from its folder, with this version of Tideover.",
  });
}

export function sortedByPath(files: readonly ReleaseFile[]): ReleaseFile[] {
  return files.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}
