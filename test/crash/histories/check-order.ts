/** What the order of records tells: within an operation, from one to the next of a process, and in circles. */
import { type Finding, finding } from './anomalies.ts';
import { addEdge, cycles, type Graph } from './cycles.ts';
import { type Operation, polled, type Polled, type Send, sends } from './history.ts';
import type { IndexedHistory } from './indexed-history.ts';

export function checkSends(history: IndexedHistory): Finding[] {
  const found: Finding[] = [];
  const last = new Map<string, { offset: number; value: string }>();
  for (const operation of history.operations) {
    if (!history.happened(operation)) continue;
    for (const [partition, some] of byPartition(sends(operation))) {
      const placed = some.flatMap(({ value }) => {
        const offset = history.offsetOf(value);
        return offset === undefined ? [] : [{ value, offset }];
      });
      for (const [i, { value, offset }] of placed.entries()) {
        const before = placed[i - 1];
        if (!before || !operation.transactional) continue;
        const says = `${operation.process}: ${before.value} at ${partition}:${before.offset}, ${value} at ${offset}`;
        if (offset < before.offset) found.push(finding('int-nonmonotonic-send', says));
        else if (history.between(partition, before.offset, offset, true) !== undefined) {
          found.push(finding('int-send-skip', says));
        }
      }
      // What went with an unknown end may come late, by another connection.
      if (operation.outcome !== 'ok' || placed.length === 0) continue;
      const key = `${operation.process} ${partition}`;
      const earlier = last.get(key);
      const first = placed[0]!;
      if (earlier && first.offset < earlier.offset) {
        const says = `${operation.process}: ${earlier.value} at ${partition}:${earlier.offset}, later ${first.value} at ${first.offset}`;
        found.push(finding('nonmonotonic-send', says));
      }
      last.set(key, placed.at(-1)!);
    }
  }
  return found;
}

export function checkPolls(history: IndexedHistory): Finding[] {
  const found: Finding[] = [];
  const last = new Map<string, Polled>();
  for (const operation of history.operations) {
    const { session } = operation;
    if (!session) continue;
    const committed = session.isolation !== 'read_uncommitted';
    for (const [partition, records] of byPartition(polled(operation))) {
      const key = `${session.id} ${partition}`;
      for (const [i, record] of records.entries()) {
        const before = i === 0 ? last.get(key) : records[i - 1];
        if (!before) continue;
        const skipped = history.between(partition, before.offset, record.offset, committed);
        const says = `${operation.process} read ${before.value} at ${partition}:${before.offset}, then ${record.value} at ${record.offset}`;
        const prefix = i === 0 ? '' : 'int-';
        if (record.offset <= before.offset) {
          found.push(finding(`${prefix}nonmonotonic-poll`, says, session.by));
        } else if (skipped !== undefined) {
          const value = history.valueAt(partition, skipped);
          found.push(finding(`${prefix}poll-skip`, `${says}, not ${value} at ${skipped}`, session.by));
        }
      }
      last.set(key, records.at(-1)!);
    }
  }
  return found;
}

/** Transactions as nodes: who wrote right behind whom in a partition, and who read whom. */
export function checkCycles(history: IndexedHistory): Finding[] {
  const numbers = new Map<Operation, number>();
  for (const operation of history.operations) {
    if (operation.transactional && operation.outcome !== 'failed') numbers.set(operation, numbers.size);
  }
  const writes = new Map<number, Set<number>>();
  for (const [partition, offsets] of history.committedOffsets()) {
    let before: number | undefined;
    for (const offset of offsets) {
      const [value] = history.values.get(`${partition}:${offset}`) ?? [];
      const writer = numbers.get(history.writes.get(value ?? '')?.operation as Operation);
      if (writer === undefined) continue;
      if (before !== undefined) addEdge(writes, before, writer);
      before = writer;
    }
  }
  const reads = new Map<number, Set<number>>();
  for (const [reader, number] of numbers) {
    for (const { value } of polled(reader)) {
      const writer = numbers.get(history.writes.get(value)?.operation as Operation);
      if (writer !== undefined) addEdge(reads, writer, number);
    }
  }
  const names = [...numbers.keys()].map(({ process }, i) => `${process}#${i}`);
  const say = (nodes: readonly number[]): string => {
    const some = nodes.slice(0, 10).map((node) => names[node]);
    return `${some.join(' ')}${nodes.length > some.length ? ` and ${nodes.length - some.length} more` : ''}`;
  };
  const readCycles = cycles(reads);
  const inReadCycle = new Set(readCycles.flat());
  const mixed = cycles(union(writes, reads)).filter(
    (nodes) => hasEdgeWithin(reads, new Set(nodes)) && !nodes.some((node) => inReadCycle.has(node)),
  );
  return [
    ...cycles(writes).map((nodes) => finding('G0', say(nodes))),
    ...readCycles.map((nodes) => finding('G1c', say(nodes))),
    ...mixed.map((nodes) => finding('G1c-ww', say(nodes))),
  ];
}

function union(a: Graph, b: Graph): Graph {
  const both = new Map([...a].map(([node, to]) => [node, new Set(to)]));
  for (const [node, to] of b) for (const one of to) addEdge(both, node, one);
  return both;
}

function hasEdgeWithin(graph: Graph, nodes: ReadonlySet<number>): boolean {
  return [...nodes].some((node) => [...(graph.get(node) ?? [])].some((to) => nodes.has(to)));
}

function byPartition<T extends Send | Polled>(some: readonly T[]): Map<number, T[]> {
  const found = new Map<number, T[]>();
  for (const one of some) {
    const list = found.get(one.partition);
    if (list) list.push(one);
    else found.set(one.partition, [one]);
  }
  return found;
}
