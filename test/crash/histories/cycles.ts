/** Edges by node; nodes are numbers. */
export type Graph = ReadonlyMap<number, ReadonlySet<number>>;

export function addEdge(graph: Map<number, Set<number>>, from: number, to: number): void {
  if (from === to) return;
  const found = graph.get(from);
  if (found) found.add(to);
  else graph.set(from, new Set([to]));
}

/**
 * Groups of nodes of which each reaches every other, of two and more (Tarjan's way, with a stack of its own, since
 * histories are longer than the engine's).
 */
export function cycles(graph: Graph): number[][] {
  const found: number[][] = [];
  const index = new Map<number, number>();
  const low = new Map<number, number>();
  const path: number[] = [];
  const onPath = new Set<number>();
  for (const root of graph.keys()) {
    if (index.has(root)) continue;
    const work = [enter(root)];
    while (work.length > 0) {
      const { node, rest } = work.at(-1)!;
      const next = rest.next();
      if (!next.done) {
        if (!index.has(next.value)) work.push(enter(next.value));
        else if (onPath.has(next.value)) low.set(node, Math.min(low.get(node)!, index.get(next.value)!));
        continue;
      }
      work.pop();
      const parent = work.at(-1)?.node;
      if (parent !== undefined) low.set(parent, Math.min(low.get(parent)!, low.get(node)!));
      if (low.get(node) !== index.get(node)) continue;
      const members = path.splice(path.lastIndexOf(node));
      for (const member of members) onPath.delete(member);
      if (members.length > 1) found.push(members.toSorted((a, b) => a - b));
    }
  }
  return found;

  function enter(node: number): { node: number; rest: Iterator<number, undefined> } {
    index.set(node, index.size);
    low.set(node, index.get(node)!);
    path.push(node);
    onPath.add(node);
    return { node, rest: (graph.get(node) ?? new Set<number>()).values() as Iterator<number, undefined> };
  }
}
