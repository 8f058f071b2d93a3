import { createHash } from "node:crypto";

/**
 * Canonical JSON after RFC 8785: keys sorted by UTF-16 code units, no white space, numbers and
 * strings as ECMAScript prints them. Two processes that hold the same value get the same bytes,
 * so digests and signatures can be compared across regions.
 *
 * `undefined` members are left out, as JSON.stringify does. Throws TypeError on NaN, infinities
 * and other values that JSON cannot say, since they would silently become `null`.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") {
    return JSON.stringify(value);
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new TypeError(`${value} has no JSON form`);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) {
    // Array.from, since `map` skips holes and would print `[1,,2]`.
    return `[${Array.from(value, (item) => canonicalJson(item ?? null)).join(",")}]`;
  }
  if (typeof value === "object" && isPlain(value)) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
    return `{${members.join(",")}}`;
  }
  throw new TypeError(`${nameOf(value)} has no JSON form`);
}

/** A Map, a Set or a Date has no members of its own: all of them would get the digest of `{}`. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function nameOf(value: unknown): string {
  return typeof value === "object" ? `a ${value?.constructor.name}` : `a ${typeof value}`;
}

/** `sha256:<64 hex>` of a text or of bytes. */
export function sha256(data: string | Uint8Array): string {
  return `sha256:${createHash("sha256").update(data).digest("hex")}`;
}

/** Digest of any JSON value, equal wherever the value is equal. */
export function digestOf(value: unknown): string {
  return sha256(canonicalJson(value));
}
