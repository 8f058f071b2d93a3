import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { GoldenSet } from "../model/golden.ts";
import type { Release } from "../model/release.ts";
import { releaseSpecOf, type Spec } from "../model/spec.ts";
import type { Fault, Path } from "./faults.ts";
import { readGolden } from "./load-corpus.ts";
import { readRelease } from "./load-release.ts";
import type { Beside, Finding } from "./rules/rule.ts";
import { workflowsOf } from "./rules/rule.ts";

export interface ReadBeside {
  readonly files: Beside;
  /** About the spec: a path that leads nowhere. */
  readonly findings: readonly Finding[];
  /** About the files themselves, with their own lines. */
  readonly faults: readonly Fault[];
}

/** Reads what a spec names, relative to the spec's folder. A corpus is only looked for. */
export function readBeside(spec: Spec, folder: string): ReadBeside {
  const findings: Finding[] = [];
  const faults: Fault[] = [];
  const find = (written: string, wanted: "folder" | "file", path: Path): string | undefined => {
    const full = resolve(folder, written);
    const found = kindOf(full);
    if (found === wanted) return full;
    findings.push(wrongKind(path, full, wanted, found));
    return undefined;
  };
  for (const [name, { corpus }] of Object.entries(spec.indexes))
    if (corpus !== undefined) find(corpus, "folder", ["indexes", name, "corpus"]);
  const release = releaseIn(spec, find, faults);
  return { files: { release, golden: goldenIn(spec, find, faults) }, findings, faults };
}

type Find = (written: string, wanted: "folder" | "file", path: Path) => string | undefined;

function releaseIn(spec: Spec, find: Find, faults: Fault[]): Release | null {
  const release = releaseSpecOf(spec);
  const at = typeof spec.release === "string" ? ["release"] : ["release", "folder"];
  const path = release === null ? undefined : find(release.folder, "folder", at);
  for (const [i, key] of (release?.trust ?? []).entries())
    find(key, "file", ["release", "trust", i]);
  if (path === undefined) return null;
  const read = readRelease(path);
  if (read.ok) return read.release.body;
  faults.push(...read.faults);
  return null;
}

function goldenIn(spec: Spec, find: Find, faults: Fault[]): Map<string, GoldenSet> {
  const sets = new Map<string, GoldenSet>();
  const told = new Set<string>();
  for (const [name, { golden }] of workflowsOf(spec)) {
    if (golden === undefined) continue;
    const path = find(golden.questions, "file", ["workflows", name, "golden", "questions"]);
    if (path === undefined) continue;
    const read = readGolden(path);
    if (read.ok) sets.set(name, read.golden);
    // Workflows may share a file: its faults are told once.
    else if (!told.has(path)) faults.push(...read.faults);
    told.add(path);
  }
  return sets;
}

function kindOf(path: string): "folder" | "file" | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  return stat.isDirectory() ? "folder" : "file";
}

function wrongKind(
  path: Path,
  full: string,
  wanted: "folder" | "file",
  found: "folder" | "file" | undefined,
): Finding {
  const instead = `write the path of a ${wanted}, relative to this file`;
  if (found === undefined) return { path, message: `does not exist: looked for ${full}`, instead };
  return { path, message: `is a ${found}, where a ${wanted} is wanted`, instead };
}
