import { accessSync, constants, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { messageOf, TideoverError } from "../lib/errors.ts";

/** Where one estate keeps its things on this machine. Only names: nothing is created here. */
export interface DataDir {
  readonly root: string;
  readonly lock: string;
  readonly supervisor: string;
  readonly store: string;
  readonly keys: string;
  readonly notices: string;
  readonly report: string;
  log(process: string): string;
  region(name: string): RegionDir;
}

export interface RegionDir {
  readonly root: string;
  readonly snapshot: string;
  readonly audit: string;
  index(name: string): string;
}

export function dataDirAt(path: string): DataDir {
  const root = resolve(path);
  return {
    root,
    lock: join(root, "estate.lock"),
    supervisor: join(root, "supervisor.json"),
    store: join(root, "store.db"),
    keys: join(root, "keys"),
    notices: join(root, "notices.jsonl"),
    report: join(root, "report"),
    log: (process) => join(root, "logs", `${process}.log`),
    region: (name) => regionDir(join(root, "regions", name)),
  };
}

function regionDir(root: string): RegionDir {
  return {
    root,
    snapshot: join(root, "snapshot.json"),
    audit: join(root, "audit.jsonl"),
    index: (name) => join(root, "indexes", `${name}.db`),
  };
}

/** Creates a folder, or says which one cannot be written and what to do about it. */
export function makeWritable(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new TideoverError(`cannot write in ${folder}: ${messageOf(error)}`, {
      code: "DISK_NOT_WRITABLE",
      next: "Give --data a folder that you may write in, or mend the permissions of this one.",
      cause: error,
    });
  }
}
