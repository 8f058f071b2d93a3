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

/**
 * The same by the header's own value, once it was found: the hash is most of what it takes. Only
 * what a tenant sent stands there, so that a stranger can neither fill it nor learn from it.
 */
const knownHeaders = new WeakMap<Snapshot, Map<string, TenantName>>();
/** A few spellings of each key; more are made up. */
const MOST_HEADERS = 10_000;

/** Whose request this is, by the API key. Before the body is read: a stranger's costs nothing. */
export function authenticate(): Link {
  return (next) => (call) => {
    const { authorization } = call.headers;
    const tenant = authorization === undefined ? null : tenantOf(call.snapshot, authorization);
    if (tenant === null) return refuse(unknownKey(bearerKey(authorization)));
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

function tenantOf(snapshot: Snapshot, header: string): TenantName | null {
  const known = headersOf(snapshot);
  const seen = known.get(header);
  if (seen !== undefined) return seen;
  const key = bearerKey(header);
  const tenant = key === null ? undefined : tenantsByKey(snapshot).get(hash("sha256", key));
  if (tenant === undefined) return null;
  if (known.size >= MOST_HEADERS) known.clear();
  known.set(header, tenant);
  return tenant;
}

function headersOf(snapshot: Snapshot): Map<string, TenantName> {
  const known = knownHeaders.get(snapshot);
  if (known !== undefined) return known;
  const fresh = new Map<string, TenantName>();
  knownHeaders.set(snapshot, fresh);
  return fresh;
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
