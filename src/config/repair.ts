import type { Path } from "./faults.ts";
import { type SchemaNode, schemaAt } from "./shape-faults.ts";
import type { Remark } from "./yaml-source.ts";

/**
 * Puts stand-ins where a spec's shape is wrong, so that the rules between its parts can be asked as
 * well and all faults come at once: a person should not correct a unit only to learn in the next
 * run that the region does not exist. The stand-in is never served; it only keeps the rules from
 * tripping, and what a rule says about it is dropped (see `touches`).
 */
export interface Repair {
  readonly data: unknown;
  /** Whatever is said about these places would be about a stand-in. */
  readonly invented: readonly Path[];
}

/** undefined when a whole part is wrong: rules over an invented part would only mislead. */
export function repair(
  data: unknown,
  remarks: readonly Remark[],
  tree: SchemaNode,
): Repair | undefined {
  const copy = structuredClone(data);
  const invented: Path[] = [];
  for (const { path, on } of remarks) {
    const parent = containerAt(copy, path.slice(0, -1));
    const key = path.at(-1);
    if (parent === undefined || key === undefined) return undefined;
    if (on === "key") {
      delete parent[key];
      // A misspelt key leaves its right twin missing, so its whole surroundings are uncertain.
      invented.push(path.slice(0, -1));
      continue;
    }
    const standIn = standInFor(schemaAt(tree, path));
    if (standIn === undefined) return undefined;
    parent[key] = standIn;
    invented.push(path);
  }
  return { data: copy, invented };
}

/** Whether a remark speaks of an invented place, of something inside it, or of something around. */
export function touches(paths: readonly Path[], invented: readonly Path[]): boolean {
  return paths.some((path) =>
    invented.some((other) => startsWith(path, other) || startsWith(other, path)),
  );
}

function startsWith(path: Path, start: Path): boolean {
  return start.every((part, at) => path[at] === part);
}

function containerAt(data: unknown, path: Path): Record<string | number, unknown> | undefined {
  let value = data;
  for (const part of path) value = isContainer(value) ? value[part] : undefined;
  return isContainer(value) ? value : undefined;
}

function isContainer(value: unknown): value is Record<string | number, unknown> {
  return typeof value === "object" && value !== null;
}

function standInFor(node: SchemaNode | undefined): unknown {
  const known = node?.const ?? node?.examples?.[0] ?? node?.enum?.[0] ?? node?.default;
  if (known !== undefined) return known;
  if (node?.type === "string") return "a-name";
  if (node?.type === "boolean") return false;
  if (node?.type === "integer" || node?.type === "number") return node.minimum ?? 1;
  return undefined;
}
