import type { GoldenSet } from "../../model/golden.ts";
import type { Release } from "../../model/release.ts";
import type { RegionSpec, Spec, WorkflowSpec } from "../../model/spec.ts";
import type { Path } from "../faults.ts";
import type { Remark } from "../yaml-source.ts";

/** What a rule found. `involves` names further places that it looked at to say so. */
export interface Finding extends Remark {
  readonly involves?: readonly Path[];
}

/** One thing that must hold between the parts of a spec. */
export type Rule = (spec: Spec) => readonly Finding[];

/** The files that a spec names, as far as they could be read. */
export interface Beside {
  readonly release: Release | null;
  /** By workflow. */
  readonly golden: ReadonlyMap<string, GoldenSet>;
}

/** One thing that must hold between a spec and the files that it names. */
export type FileRule = (spec: Spec, beside: Beside) => readonly Finding[];

export function workflowsOf(spec: Spec): [name: string, workflow: WorkflowSpec][] {
  return Object.entries(spec.workflows);
}

export function regionsOf(spec: Spec): [name: string, region: RegionSpec][] {
  return Object.entries(spec.regions);
}

/** Regions that may have to serve it, the primary first; unknown names are left out. */
export function servingRegions(spec: Spec, workflow: WorkflowSpec): string[] {
  return [...new Set([workflow.primary, ...workflow.standbys])].filter(
    (name) => spec.regions[name] !== undefined,
  );
}

/** `eu-west, us-east` for advice; a word when there is none. */
export function listed(names: readonly string[]): string {
  return names.length === 0 ? "(none yet)" : names.join(", ");
}
