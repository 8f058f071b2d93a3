/**
 * Whether a version lies in a range such as `>=0.8.0 <0.11`. null: the version cannot be read, so
 * nobody can say. What follows the three numbers (`rc1`, `.post1`, `+cu126`) does not count: builds
 * of one version behave alike, and a range that a person wrote means the version.
 */
export function inRange(version: string, range: string): boolean | null {
  const found = numbersOf(version);
  if (found === null) return null;
  return range.split(" ").every((comparator) => holds(found, comparator));
}

type Numbers = readonly [number, number, number];

function numbersOf(version: string): Numbers | null {
  const match = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(version.trim());
  if (match === null) return null;
  const [, major = "0", minor = "0", patch = "0"] = match;
  return [Number(major), Number(minor), Number(patch)];
}

function holds(found: Numbers, comparator: string): boolean {
  const [, sign = "=", bound = ""] = /^(>=|<=|>|<|=)?(.*)$/.exec(comparator) ?? [];
  const wanted = numbersOf(bound);
  if (wanted === null) return false;
  const order = compare(found, wanted);
  if (sign === ">=") return order >= 0;
  if (sign === "<=") return order <= 0;
  if (sign === ">") return order > 0;
  return sign === "<" ? order < 0 : order === 0;
}

function compare(a: Numbers, b: Numbers): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
