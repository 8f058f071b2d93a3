/** What each name depends on. */
export type Graph = ReadonlyMap<string, readonly string[]>;

/**
 * Every cycle once, as the names along it, the first again at the end: `[a, b, a]`. Edges to names
 * that the graph does not hold are ignored; somebody else reports those.
 */
export function cyclesIn(graph: Graph): string[][] {
  const done = new Set<string>();
  const cycles: string[][] = [];
  const visit = (name: string, trail: readonly string[]): void => {
    const seenAt = trail.indexOf(name);
    if (seenAt >= 0) {
      cycles.push([...trail.slice(seenAt), name]);
      return;
    }
    // A name whose ways have all been walked leads to no cycle that is not already known.
    if (done.has(name)) return;
    for (const next of graph.get(name) ?? []) visit(next, [...trail, name]);
    done.add(name);
  };
  for (const name of graph.keys()) visit(name, []);
  return cycles;
}
