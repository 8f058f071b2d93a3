import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { specWithPorts } from "../config/spec-ports.ts";
import { TideoverError } from "../lib/errors.ts";
import type { ReleaseSpec } from "../model/release-spec.ts";
import { releaseSpecOf, type Spec } from "../model/spec.ts";
import { makeWritable } from "./data-dir.ts";
import { type Estate, openEstate } from "./estate.ts";
import { refuseWhenUp } from "./lock.ts";
import { freePorts } from "./ports.ts";

/** More than any estate on one machine uses. */
const PORTS = 64;

/**
 * The same estate on ports that nobody uses now: a copy of the spec and of what it names, in the
 * estate's data folder. The original stays as it is.
 */
export async function freePortCopy(estate: Estate): Promise<Estate> {
  // Another `up` may be running from the copy that this one would write over with other ports.
  refuseWhenUp(estate.data);
  const folder = join(estate.data.root, "estate");
  makeWritable(folder);
  const source = dirname(estate.specPath);
  for (const path of namedFiles(estate.spec)) copyNamed(source, folder, path);
  const ports = await freePorts(PORTS);
  const text = specWithPorts(readFileSync(estate.specPath, "utf8"), () => nextOf(ports));
  const copy = join(folder, "tideover.yaml");
  writeFileSync(copy, text);
  return openEstate({ spec: copy, data: estate.data.root });
}

function namedFiles(spec: Spec): string[] {
  const named = [
    ...filesOf(releaseSpecOf(spec)),
    ...Object.values(spec.indexes).map(({ corpus }) => corpus),
    ...Object.values(spec.workflows).map(({ golden }) => golden?.questions),
  ];
  return [...new Set(named.filter((path) => path !== undefined))];
}

function filesOf(release: ReleaseSpec | null): string[] {
  return release === null ? [] : [release.folder, ...release.trust];
}

function copyNamed(source: string, folder: string, path: string): void {
  const inside = relative(source, resolve(source, path));
  if (isAbsolute(path)) return;
  if (inside.startsWith("..")) {
    throw new TideoverError(
      `--free-ports copies the estate, and "${path}" lies outside its folder`,
      {
        code: "USAGE",
        next: `Move ${basename(path)} beside the spec, or name it by its absolute path.`,
      },
    );
  }
  mkdirSync(dirname(join(folder, inside)), { recursive: true });
  cpSync(join(source, inside), join(folder, inside), { recursive: true });
}

function nextOf(ports: number[]): number {
  const port = ports.pop();
  if (port !== undefined) return port;
  throw new TideoverError(`the spec has more than ${PORTS} ports`, { code: "USAGE" });
}
