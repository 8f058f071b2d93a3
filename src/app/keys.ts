import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import { sha256 } from "../lib/canonical.ts";
import type { Spec } from "../model/spec.ts";
import { type DataDir, makeWritable } from "./data-dir.ts";

const keysSchema = z.strictObject({
  /** Signs snapshots (Ed25519, PKCS#8 PEM). Only controllers need it. */
  signingKey: z.string(),
  /** Its public half: the trust root of every gateway (SPKI PEM). */
  trustedKeys: z.array(z.string()),
  /** Bearer token between the estate's own processes, and for operators. */
  token: z.string(),
  /** One synthetic API key a tenant, for canaries, so that no probe borrows a caller's key. */
  canaryKeys: z.record(z.string(), z.string()),
});
export type EstateKeys = z.infer<typeof keysSchema>;

/** The estate's keys, made on first use. Several processes may ask at once: one's keys win. */
export function ensureKeys(data: DataDir, tenants: readonly string[]): EstateKeys {
  const file = join(data.keys, "estate.json");
  if (!existsSync(file)) {
    makeWritable(dirname(file));
    writePrivate(file, textOf(withCanaries(makeKeys(), tenants)), "first");
  }
  const present = readKeys(file);
  if (missingOf(present, tenants).length === 0) return present;
  writePrivate(file, textOf(withCanaries(present, tenants)), "replace");
  return readKeys(file);
}

function missingOf({ canaryKeys }: EstateKeys, tenants: readonly string[]): string[] {
  return tenants.filter((tenant) => canaryKeys[tenant] === undefined);
}

function withCanaries(keys: EstateKeys, tenants: readonly string[]): EstateKeys {
  const made = missingOf(keys, tenants).map((tenant) => [tenant, newApiKey("canary")]);
  return { ...keys, canaryKeys: { ...keys.canaryKeys, ...Object.fromEntries(made) } };
}

/** A new API key: 192 bits of randomness, so a plain SHA-256 of it is a safe thing to store. */
export function newApiKey(label: string): string {
  return `tk-${label}-${randomBytes(24).toString("base64url")}`;
}

/** The spec with the canaries' key hashes among the tenants': what the snapshot is built from. */
export function withCanaryKeys(spec: Spec, keys: EstateKeys): Spec {
  const tenants = Object.entries(spec.tenants).map(([name, tenant]) => {
    const canary = keys.canaryKeys[name];
    return [name, canary ? { ...tenant, keys: [...tenant.keys, sha256(canary)] } : tenant];
  });
  return { ...spec, tenants: Object.fromEntries(tenants) };
}

function readKeys(file: string): EstateKeys {
  return keysSchema.parse(JSON.parse(readFileSync(file, "utf8")));
}

function makeKeys(): EstateKeys {
  const pair = generateKeyPairSync("ed25519", {
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  return {
    signingKey: pair.privateKey,
    trustedKeys: [pair.publicKey],
    token: randomBytes(24).toString("base64url"),
    canaryKeys: {},
  };
}

function textOf(keys: EstateKeys): string {
  return JSON.stringify(keys, null, 2);
}

/**
 * Whole or not at all, and readable by nobody else from its first moment. `first`: what is there
 * already stays.
 */
export function writePrivate(file: string, text: string, how: "first" | "replace"): void {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, text, { mode: 0o600 });
  if (how === "replace" || !linkTo(draft, file)) renameSync(draft, file);
  else rmSync(draft);
}

/** A rename would put keys over those that another process already reads and uses. */
function linkTo(draft: string, file: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch {
    // What is there stays, whoever made it; and a file system without links has nothing there.
    return existsSync(file);
  }
}
