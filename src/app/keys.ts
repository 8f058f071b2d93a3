import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
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
  const present = existsSync(file) ? readKeys(file) : makeKeys();
  const missing = tenants.filter((tenant) => present.canaryKeys[tenant] === undefined);
  if (existsSync(file) && missing.length === 0) return present;
  const canaryKeys = { ...present.canaryKeys };
  for (const tenant of missing) canaryKeys[tenant] = newApiKey("canary");
  makeWritable(dirname(file));
  writePrivate(file, JSON.stringify({ ...present, canaryKeys }, null, 2));
  return readKeys(file);
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

/** Whole or not at all, and readable by nobody else from its first moment. */
function writePrivate(file: string, text: string): void {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, file);
}
