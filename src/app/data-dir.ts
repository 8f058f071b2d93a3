import { accessSync, constants, mkdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { messageOf, TideoverError } from "../lib/errors.ts";

/** Where one estate keeps its things on this machine. Only names: nothing is created here. */
export interface DataDir {
  readonly root: string;
  readonly lock: string;
  readonly supervisor: string;
  readonly store: string;
  readonly keys: string;
  /** Releases that were signed here, by the estate's own key: an OCI layout. */
  readonly releases: string;
  readonly notices: string;
  readonly report: string;
  log(process: string): string;
  region(name: string): RegionDir;
}

export interface RegionDir {
  readonly root: string;
  readonly snapshot: string;
  readonly audit: string;
  /** The public keys whose releases this region takes. */
  readonly trust: string;
  /** This region's own copies of releases, models and images: an OCI layout. */
  readonly artifacts: string;
  index(name: string): string;
  /** Folder of a copy that is kept in Lance files. */
  lance(name: string): string;
  /** Its log, which is there wherever the Lance files are. */
  lanceLedger(name: string): string;
}

export function dataDirAt(path: string): DataDir {
  const root = resolve(path);
  return {
    root,
    lock: join(root, "estate.lock"),
    supervisor: join(root, "supervisor.json"),
    store: join(root, "store.db"),
    keys: join(root, "keys"),
    releases: join(root, "releases"),
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
    trust: join(root, "trust"),
    artifacts: join(root, "artifacts"),
    index: (name) => join(root, "indexes", `${name}.db`),
    lance: (name) => join(root, "indexes", `${name}.lance`),
    lanceLedger: (name) => join(root, "indexes", `${name}.lance`, "ledger.db"),
  };
}

/** Creates a folder, or says which one cannot be written and what to do about it. */
export function makeWritable(folder: string): void {
  try {
    makeFolder(folder);
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new TideoverError(`cannot write in ${folder}: ${messageOf(error)}`, {
      code: "DISK_NOT_WRITABLE",
      next: "Name another folder (--data; for a report --report), or mend the permissions of this one.",
      cause: error,
    });
  }
}

/**
 * With its parents, one by one: `mkdirSync(…, { recursive: true })` never returns where a file system
 * says ENOENT for a folder that it will not have, as /proc does, and then not even Ctrl-C helps.
 */
function makeFolder(folder: string): void {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (found?.isDirectory()) return;
  if (found) throw new Error(`${folder} is a file, not a folder`);
  if (dirname(folder) !== folder) makeFolder(dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // Several processes of an estate may make the same folder at once: one does.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
