import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { type DataDir, dataDirAt } from "./data-dir.ts";

/** A folder of the test's own, removed when the file's tests have ended. */
export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "tideover-app-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function tempData(): DataDir {
  return dataDirAt(join(tempFolder(), "data"));
}
