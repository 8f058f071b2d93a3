import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Environment, readEnvironment } from "../config/env.ts";
import { loadGolden } from "../config/load-corpus.ts";
import { type LoadedRelease, loadRelease } from "../config/load-release.ts";
import { loadSpec } from "../config/load-spec.ts";
import type { GoldenSet } from "../model/golden.ts";
import { releaseSpecOf, type Spec } from "../model/spec.ts";
import { type DataDir, dataDirAt } from "./data-dir.ts";
import { type EstateKeys, ensureKeys } from "./keys.ts";

/** Everything that is read once at the start of a process, judged, and never read again. */
export interface Estate {
  readonly specPath: string;
  readonly spec: Spec;
  readonly release: LoadedRelease | null;
  /** Golden questions per workflow. */
  readonly golden: ReadonlyMap<string, GoldenSet>;
  readonly data: DataDir;
  readonly environment: Environment;
}

export interface EstateOptions {
  readonly spec: string;
  readonly data?: string | undefined;
  /**
   * `spec-only`: release, golden questions and corpus are not read, and may be gone: a gateway that
   * serves from its signed snapshot must start without them.
   */
  readonly read?: "everything" | "spec-only";
}

export function openEstate(options: EstateOptions): Estate {
  const environment = readEnvironment(process.env);
  const alone = options.read === "spec-only";
  const { spec, path, folder } = loadSpec(options.spec, { files: alone ? "ignored" : "judged" });
  const release = releaseSpecOf(spec);
  const beside = (name: string): string => resolve(folder, name);
  const data = options.data ?? environment.dataDir ?? `.tideover/${spec.estate}`;
  return {
    specPath: path,
    spec,
    release: release && !alone ? loadRelease(beside(release.folder)) : null,
    golden: alone ? new Map() : goldenSets(spec, beside),
    data: dataDirAt(data),
    environment,
  };
}

/** The estate's keys; a token from the environment stands in for the one on disk. */
export function keysOf({ data, spec, environment }: Estate): EstateKeys {
  const keys = ensureKeys(data, Object.keys(spec.tenants));
  return environment.token === null ? keys : { ...keys, token: environment.token };
}

/** Folder of the corpus that an index is filled from; undefined when the spec names none. */
export function corpusOf(estate: Estate, index: string): string | undefined {
  const corpus = estate.spec.indexes[index]?.corpus;
  if (corpus === undefined) return undefined;
  const folder = resolve(dirname(estate.specPath), corpus);
  return existsSync(folder) ? folder : undefined;
}

function goldenSets(spec: Spec, beside: (path: string) => string): Map<string, GoldenSet> {
  const sets = new Map<string, GoldenSet>();
  for (const [name, { golden }] of Object.entries(spec.workflows)) {
    if (golden) sets.set(name, loadGolden(beside(golden.questions)));
  }
  return sets;
}
