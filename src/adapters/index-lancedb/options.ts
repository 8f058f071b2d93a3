import type { Place } from "../../ledger/connection.ts";

export interface LanceOptions extends Place {
  /** The file with log, position and sums (see ledger/). It names the version that belongs to it. */
  readonly path: string;
  /** Folder of the Lance tables, of this one copy alone; or `s3://bucket/…` and the like. */
  readonly folder: string;
  /** true: never writes; file and folder may appear later. */
  readonly readOnly?: boolean;
}

/** Whether the folder is one of this machine's file system. */
export function isLocal({ folder }: Pick<LanceOptions, "folder">): boolean {
  return !/^[a-z][a-z0-9+.-]+:\/\//.test(folder);
}
