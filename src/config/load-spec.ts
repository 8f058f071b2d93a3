import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { TideoverError } from "../lib/errors.ts";
import { type Spec, specSchema } from "../model/spec.ts";
import { deepFreeze } from "./deep-freeze.ts";
import { type Fault, FaultsError, sortFaults } from "./faults.ts";
import { formatFaults } from "./format-faults.ts";
import { readBeside } from "./read-beside.ts";
import { readShape } from "./read-shape.ts";
import { readText, shownPath, type TextResult } from "./read-text.ts";
import { repair, touches } from "./repair.ts";
import type { Finding } from "./rules/rule.ts";
import { schemaTree } from "./shape-faults.ts";
import { judgeSpec } from "./spec-rules.ts";
import { type Remark, readYaml, type YamlSource } from "./yaml-source.ts";

/** A spec without a fault, frozen. */
export interface LoadedSpec {
  readonly spec: Spec;
  /** Absolute. */
  readonly path: string;
  /** Absolute: paths within the spec start here. */
  readonly folder: string;
  readonly text: string;
}

export interface SpecOptions {
  /**
   * `judged` (default): release, corpus and golden questions must exist and be sound. `ignored`:
   * for a process that serves from a snapshot and must start even when they are gone.
   */
  readonly files?: "judged" | "ignored";
}

export type SpecJudgement =
  | { readonly ok: true; readonly spec: Spec }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Throws SPEC_MISSING, or SPEC_INVALID (a FaultsError) with every fault at once. */
export function loadSpec(path: string, options: SpecOptions = {}): LoadedSpec {
  const shown = shownPath(path);
  const text = textOf(path, shown);
  const judged = judgeSpecText(text, shown, options);
  if (!judged.ok) throw new FaultsError(formatFaults(judged.faults), "SPEC_INVALID", judged.faults);
  const full = resolve(path);
  return { spec: judged.spec, path: full, folder: dirname(full), text };
}

function textOf(path: string, shown: string): string {
  const read = readText(path, shown);
  if (read.ok) return read.text;
  if (read.reason === "not-text")
    throw new FaultsError(formatFaults([read.fault]), "SPEC_INVALID", [read.fault]);
  throw specMissing(path, read.reason, read.fault);
}

function specMissing(
  path: string,
  reason: Extract<TextResult, { ok: false }>["reason"],
  fault: Fault,
): TideoverError {
  const full = resolve(path);
  const inside = join(path, "tideover.yaml");
  const message = {
    missing: `There is no spec at ${full}.`,
    folder: `${full} is a folder, not a spec.`,
    unreadable: `The spec at ${full} ${fault.message}.`,
    "not-text": `The spec at ${full} ${fault.message}.`,
  }[reason];
  const next =
    reason === "folder" && existsSync(inside)
      ? `Name the file: tideover up --spec ${inside}`
      : "Name one with tideover up --spec FILE; examples/ has some to start from.";
  return new TideoverError(message, { code: "SPEC_MISSING", next });
}

/**
 * Judges a spec's text. `path` is shown in faults, and what the spec names is looked for relative
 * to its folder. All faults come at once, in the order of the text; after a syntax error nothing
 * else is judged, since the rest would be a guess.
 */
export function judgeSpecText(
  text: string,
  path: string,
  options: SpecOptions = {},
): SpecJudgement {
  const source = readYaml(text.replace(/^\uFEFF/, ""), { file: path });
  const otherVersion = wrongVersion(source);
  if (otherVersion !== undefined) return { ok: false, faults: [otherVersion] };
  const shape = readShape(specSchema, source);
  const meaning = judgeMeaning(shape.value, shape.remarks, source, path, options);
  const faults = [...shape.faults, ...meaning];
  if (shape.value === undefined || faults.length > 0)
    return { ok: false, faults: unique(sortFaults(faults)) };
  return { ok: true, spec: deepFreeze(shape.value) };
}

/** A file of another version may have other keys: calling each of them a fault would be noise. */
function wrongVersion({ value, faultAt }: YamlSource): Fault | undefined {
  const version =
    typeof value === "object" && value !== null && "tideover" in value ? value.tideover : 1;
  if (typeof version !== "number" || version === 1) return undefined;
  return faultAt({
    path: ["tideover"],
    message: "is a version of this format that this program does not read",
    instead: "write 1, or use the Tideover that this file was written for",
  });
}

/** Rules between the parts: asked of the spec, or of one with stand-ins where its shape is wrong. */
function judgeMeaning(
  spec: Spec | undefined,
  remarks: readonly Remark[],
  source: YamlSource,
  path: string,
  options: SpecOptions,
): Fault[] {
  if (spec !== undefined) return meaningFaults(spec, source, path, options, () => true);
  if (remarks.length === 0) return [];
  const repaired = repair(source.value, remarks, schemaTree(specSchema));
  const second = repaired === undefined ? undefined : specSchema.safeParse(repaired.data);
  if (repaired === undefined || second?.success !== true) return [];
  const soundOnly = ({ path, involves = [] }: Finding) =>
    !touches([path, ...involves], repaired.invented);
  return meaningFaults(second.data, source, path, options, soundOnly);
}

function meaningFaults(
  spec: Spec,
  source: YamlSource,
  path: string,
  options: SpecOptions,
  keep: (finding: Finding) => boolean,
): Fault[] {
  const beside = options.files === "ignored" ? null : readBeside(spec, dirname(resolve(path)));
  const findings = [...judgeSpec(spec, beside?.files ?? null), ...(beside?.findings ?? [])];
  const own = findings.filter(keep).map((finding) => source.faultAt(finding));
  return [...own, ...(beside?.faults ?? [])];
}

/** Two rules may say the same of one place, such as two workflows that lack one component. */
function unique(faults: readonly Fault[]): Fault[] {
  const seen = new Set<string>();
  return faults.filter((fault) => {
    const key = JSON.stringify([fault.file, fault.line, fault.column, fault.path, fault.message]);
    return !seen.has(key) && seen.add(key);
  });
}
