import {
  applied,
  type FileChange,
  isDirectory,
  type NameChange,
  setNames,
  SimDisk,
  type SimDirectory,
  type SimFile,
  type SimNode,
} from './sim-disk.ts';
import type { SimRandom } from './sim-random.ts';

/** What was asked of the disk and is not durable yet. */
export type PendingOperation =
  | { readonly order: number; readonly path: string; readonly file: SimFile; readonly change: FileChange }
  | {
      readonly order: number;
      readonly path: string;
      readonly directory: SimDirectory;
      readonly names: NameChange['names'];
    };

/** In the order in which they were asked for, of all files and directories. */
export function pendingOperations(disk: SimDisk): PendingOperation[] {
  const found: PendingOperation[] = [];
  const seen = new Set<SimNode>();
  const visit = (node: SimNode, path: string): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (!isDirectory(node)) {
      for (const change of node.pending) found.push({ order: change.order, path, file: node, change });
      return;
    }
    for (const { order, names } of node.pendingNames) found.push({ order, path, directory: node, names });
    for (const entries of [node.entries, node.durableEntries]) {
      for (const [name, child] of entries) visit(child, `${path}/${name}`);
    }
  };
  visit(disk.root, '');
  return found.sort((a, b) => a.order - b.order);
}

/** The disk after a cut that left these of the pending operations, done in this order. The disk itself stays as it is. */
export function afterCut(disk: SimDisk, kept: readonly PendingOperation[], random: SimRandom): SimDisk {
  const cut = new SimDisk(random);
  const copies = new Map<SimNode, SimNode>([[disk.root, cut.root]]);
  const copyOf = (node: SimNode): SimNode => {
    const known = copies.get(node);
    if (known) return known;
    const copy = isDirectory(node) ? cut.newDirectory() : cut.newFile();
    copies.set(node, copy);
    fill(node, copy);
    return copy;
  };
  const fill = (node: SimNode, copy: SimNode): void => {
    if (isDirectory(node) && isDirectory(copy)) {
      for (const [name, child] of node.durableEntries) copy.durableEntries.set(name, copyOf(child));
    } else if (!isDirectory(node) && !isDirectory(copy)) copy.durable = Buffer.from(node.durable);
  };
  fill(disk.root, cut.root);
  for (const operation of kept) {
    if ('file' in operation) {
      const file = copyOf(operation.file) as SimFile;
      file.durable = applied(file.durable, operation.change);
    } else {
      const names = operation.names.map(([name, node]) => [name, node && copyOf(node)] as const);
      setNames((copyOf(operation.directory) as SimDirectory).durableEntries, names);
    }
  }
  settle(cut.root);
  return cut;
}

function settle(directory: SimDirectory): void {
  for (const [name, node] of directory.durableEntries) {
    directory.entries.set(name, node);
    if (isDirectory(node)) settle(node);
    else node.cached = Buffer.from(node.durable);
  }
}

/** Up to so many pending operations, every set of them in every order is a state. */
const EXHAUSTIVE_MAX = 3;

/**
 * What a cut may leave of the pending operations. Up to three: every set, changes of one file in every order. Of more:
 * none, all, each front part, and some at random.
 */
export function* keptSets(
  pending: readonly PendingOperation[],
  random: SimRandom,
  samples: number,
): Iterable<readonly PendingOperation[]> {
  if (pending.length <= EXHAUSTIVE_MAX) {
    for (let set = 0; set < 1 << pending.length; set += 1) {
      yield* orders(pending.filter((_, i) => (set & (1 << i)) !== 0));
    }
    return;
  }
  for (let count = 0; count <= pending.length; count += 1) yield pending.slice(0, count);
  for (let i = 0; i < samples; i += 1) yield pending.filter(() => random.chance(0.5));
}

/** Names of a directory change in order, as a journal has them. */
function* orders(operations: readonly PendingOperation[]): Iterable<readonly PendingOperation[]> {
  if (operations.length < 2) {
    yield operations;
    return;
  }
  for (const [i, first] of operations.entries()) {
    const isBehindName = operations.slice(0, i).some((one) => !('file' in one));
    if (!('file' in first) && isBehindName) continue;
    for (const rest of orders(operations.filter((_, j) => j !== i))) yield [first, ...rest];
  }
}

/**
 * The last write torn at every `step`-th byte, with what was pending before it and without; what is behind the tear is
 * missing, or the size is there and the bytes are zeros.
 */
export function* tornWrites(
  pending: readonly PendingOperation[],
  stepOf: (path: string) => number,
): Iterable<readonly PendingOperation[]> {
  const last = pending.findLast((one) => 'file' in one && one.change.kind === 'write');
  if (!last || !('file' in last) || last.change.kind !== 'write') return;
  const { bytes, position, order } = last.change;
  const before = pending.filter((one) => one.order < order);
  const step = stepOf(last.path);
  for (let length = (order * 7) % step; length < bytes.length; length += step) {
    const torn = { ...last.change, bytes: bytes.subarray(0, length) };
    yield [...before, { ...last, change: torn }];
    if (before.length > 0 && length % 5 === 0) yield [{ ...last, change: torn }];
    if (length % 16 !== 0) continue;
    const zeroed = Buffer.alloc(bytes.length);
    bytes.copy(zeroed, 0, 0, length);
    yield [...before, { ...last, change: { kind: 'write', position, bytes: zeroed, order } }];
  }
}

/** Of names and content: two disks with the same one are the same to whoever starts on them. */
export function digestOf(directory: SimDirectory, hash: (text: string | Buffer) => void, path = ''): void {
  for (const [name, node] of [...directory.entries].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash(`${path}/${name}\n`);
    if (isDirectory(node)) digestOf(node, hash, `${path}/${name}`);
    else {
      hash(`${node.cached.length}\n`);
      hash(node.cached);
    }
  }
}
