import { hash } from "node:crypto";
import type { TenantName } from "../../model/ids.ts";
import type { Snapshot } from "../../model/snapshot.ts";
import type { Link } from "./call.ts";
import { refuse } from "./refuse.ts";

/**
 * By the hash of the key. A snapshot never changes, so the table is made once. A look-up in it may
 * take a different time for a different hash, and tells nothing by that: nobody can choose a key
 * whose hash is near another's.
 */
const knownKeys = new WeakMap<Snapshot, ReadonlyMap<string, TenantName>>();

/** Whose request this is, by the API key. Before the body is read: a stranger's costs nothing. */
export function authenticate(): Link {
  return (next) => (call) => {
    const key = bearerKey(call.headers.authorization);
    const tenant = key === null ? null : tenantOf(call.snapshot, key);
    if (tenant === null) return refuse(unknownKey(key));
    call.known.tenant = tenant;
    return next({ ...call, tenant });
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
  return tenantsByKey(snapshot).get(hash("sha256", key)) ?? null;
}

function tenantsByKey(snapshot: Snapshot): ReadonlyMap<string, TenantName> {
  const known = knownKeys.get(snapshot);
  if (known !== undefined) return known;
  const tenants = new Map(
    Object.entries(snapshot.tenants).flatMap(([tenant, { keys }]) =>
      keys.map((key) => [key.replace(/^sha256:/, "").toLowerCase(), tenant] as const),
    ),
  );
  knownKeys.set(snapshot, tenants);
  return tenants;
}
