/** A path under a base URL that may have a path and a trailing slash of its own. */
export function atBase(base: string, path: string): string {
  return `${base.replace(/\/+$/, "")}${path}`;
}
