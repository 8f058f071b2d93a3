/**
 * A record's own member. A plain look-up would find `constructor` in any table, and a caller may
 * choose that as a name.
 */
export function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
