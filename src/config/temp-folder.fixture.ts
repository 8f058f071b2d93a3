import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A folder with these files, for the time of a test: `using folder = tempFolder({…})`. */
export function tempFolder(files: Readonly<Record<string, string | Uint8Array>>): {
  readonly path: string;
  readonly at: (file: string) => string;
  [Symbol.dispose](): void;
} {
  const path = mkdtempSync(join(tmpdir(), "tideover-config-"));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return {
    path,
    at: (file) => join(path, file),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
