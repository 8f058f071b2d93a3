import { createHash, timingSafeEqual } from "node:crypto";
import type { TenantName } from "../../model/ids.ts";
import type { Snapshot } from "../../model/snapshot.ts";
import { type Link, withFacts } from "./call.ts";
import { refuse } from "./refuse.ts";

interface KnownKey {
  readonly tenant: TenantName;
  readonly hash: Buffer;
}

/** A snapshot never changes, so its keys are decoded once. */
const knownKeys = new WeakMap<Snapshot, readonly KnownKey[]>();

/** Whose request this is, by the API key. Before the body is read: a stranger's costs nothing. */
export function authenticate(): Link {
  return (next) => async (call) => {
    const key = bearerKey(call.headers.authorization);
    const tenant = key === null ? null : tenantOf(call.snapshot, key);
    if (tenant === null) return refuse(unknownKey(key));
    return withFacts(await next({ ...call, tenant }), { tenant });
  };
}

function bearerKey(header: string | undefined): string | null {
  return /^Bearer +(\S+) *$/i.exec(header ?? "")?.[1] ?? null;
}

function unknownKey(key: string | null) {
  // One message for every wrong key: which tenants exist is nobody's business.
  const message =
    key === null
      ? "You did not provide an API key. Send it as `Authorization: Bearer YOUR_KEY`."
      : "Incorrect API key provided. Ask the operator of this estate for a key of your tenant.";
  return { status: 401, code: "invalid_api_key", message } as const;
}

function tenantOf(snapshot: Snapshot, key: string): TenantName | null {
  const hash = createHash("sha256").update(key).digest();
  let found: TenantName | null = null;
  // Every key is compared, in constant time, so that how long it takes says nothing about any.
  for (const known of keysOf(snapshot)) {
    if (timingSafeEqual(known.hash, hash)) found = known.tenant;
  }
  return found;
}

function keysOf(snapshot: Snapshot): readonly KnownKey[] {
  const known = knownKeys.get(snapshot);
  if (known !== undefined) return known;
  const keys = Object.entries(snapshot.tenants)
    .flatMap(([tenant, entry]) => entry.keys.map((key) => ({ tenant, hash: decoded(key) })))
    .filter(({ hash }) => hash.length === 32);
  knownKeys.set(snapshot, keys);
  return keys;
}

function decoded(key: string): Buffer {
  return Buffer.from(key.replace(/^sha256:/, ""), "hex");
}
