import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseDocument } from "yaml";
import { type ReleaseKeyPair, readPrivateKey } from "../config/release-key.ts";
import { type Estate, openEstate } from "./estate.ts";
import { publishTo, withLayout } from "./release-places.ts";
import { signRelease } from "./release-signing.ts";
import { tempFolder } from "./temp-data.fixture.ts";

const SAMPLE = join(dirname(fileURLToPath(import.meta.url)), "../../examples/estate");

/** The sample estate with another `release:`, in a folder of its own. */
export function estateWith(
  change: object = {},
  files: Readonly<Record<string, string>> = {},
): Estate {
  const folder = join(tempFolder(), "source");
  cpSync(SAMPLE, folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const spec = join(folder, "tideover.yaml");
  const document = parseDocument(readFileSync(spec, "utf8"));
  for (const [key, value] of Object.entries(change)) document.set(key, value);
  writeFileSync(spec, document.toString());
  return openEstate({ spec, data: join(folder, "..", "data") });
}

/** A `release:` that trusts these files. */
export const trusting = (...trust: string[]) => ({ release: { folder: "./release", trust } });

/** Signs the estate's release where an operator would: in a layout that was built from the folder. */
export async function signIn(
  layout: string,
  estate: Estate,
  { privateKey }: ReleaseKeyPair,
  { number = 1, expires = null }: { number?: number; expires?: string | null } = {},
) {
  const { built } = estate.release ?? assert.fail("the sample has a release");
  await publishTo(layout, built, ["latest"]);
  const key = await readPrivateKey(privateKey, "a test's key", null);
  await withLayout(layout, (store) =>
    signRelease(store, "latest", key, { number, expires, reference: null }),
  );
}
