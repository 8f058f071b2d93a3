import type { Transaction } from "../../ports/store.ts";

/** Throws TypeError on a key that not every store can keep: empty, with U+0000, or half a pair. */
export function judgeKey(key: string): void {
  if (key === "" || key.includes("\0") || !key.isWellFormed()) {
    throw new TypeError(`${JSON.stringify(key)} is not a key: write some text without U+0000`);
  }
}

/** An operation as it goes to the file. */
export interface Write {
  readonly key: string;
  /** null: the key is deleted. */
  readonly json: string | null;
  readonly lease: string | null;
}

/**
 * The writes of a transaction, ready to be done. Throws TypeError on a mistake of the caller: before
 * the lock is taken, since nobody should wait for it while a large value becomes text.
 */
export function writesOf(transaction: Transaction): Write[] {
  for (const { key } of transaction.compare) judgeKey(key);
  const writes = transaction.operations.map((operation): Write => {
    if (!("put" in operation)) return { key: operation.delete, json: null, lease: null };
    const json = jsonOf(operation.put, operation.value);
    return { key: operation.put, json, lease: operation.lease ?? null };
  });
  const written = new Set<string>();
  for (const { key } of writes) {
    judgeKey(key);
    // At one revision there is no "first" and "then", so two writes of a key have no meaning.
    if (written.has(key)) throw new TypeError(`${JSON.stringify(key)} is written twice at once`);
    written.add(key);
  }
  return writes;
}

function jsonOf(key: string, value: unknown): string {
  const json = JSON.stringify(value);
  if (json === undefined) throw new TypeError(`the value of ${key} has no JSON form`);
  return json;
}

const LAST_CODE_POINT = 0x10ffff;

/**
 * The first key after all that start with `prefix`, in the order of code points; null when nothing
 * comes after them. A range rather than LIKE: there `%` and `_` in a prefix would match anything.
 */
export function afterPrefix(prefix: string): string | null {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  // The last code point has no successor, so the one before it is raised instead.
  while (points.at(-1) === LAST_CODE_POINT) points.pop();
  const last = points.pop();
  if (last === undefined) return null;
  // U+D800 to U+DFFF are no characters: SQLite would store each of them as U+FFFD.
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
}
