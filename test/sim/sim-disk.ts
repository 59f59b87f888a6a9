import type { SimRandom } from './sim-random.ts';
import { SimTrace } from './sim-trace.ts';

/**
 * A disk with a page cache in front, as a power cut sees it.
 *
 * A file has what programs see (`cached`) and what the platter has (`durable`); writes are pending until a sync.
 * Names are entries of directories and pending until the directory is synced. At a cut each pending operation is
 * kept, torn or dropped by chance, in any combination: that is more than most file systems do, and all of it is
 * allowed.
 */
export interface SimFile {
  readonly inode: number;
  cached: Buffer;
  durable: Buffer;
  pending: FileChange[];
}

export type FileChange =
  | { readonly kind: 'write'; readonly order: number; readonly position: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly order: number; readonly size: number };

export interface NameChange {
  /** Of all changes of the disk. */
  readonly order: number;
  /** Set together or not at all; undefined removes. */
  readonly names: ReadonlyArray<readonly [name: string, node: SimNode | undefined]>;
}

export type SimNode = SimFile | SimDirectory;

export interface SimDirectory {
  readonly inode: number;
  readonly entries: Map<string, SimNode>;
  durableEntries: Map<string, SimNode>;
  pendingNames: NameChange[];
}

/** What a sector keeps whole. */
const SECTOR_BYTES = 512;

export class SimDisk {
  readonly random: SimRandom;
  capacityBytes = Number.POSITIVE_INFINITY;
  readonly trace = new SimTrace();
  /** Of the next change. */
  order = 1;
  #inode = 1;
  readonly root: SimDirectory;

  constructor(random: SimRandom) {
    this.random = random;
    this.root = this.newDirectory();
  }

  newDirectory(): SimDirectory {
    return { inode: this.#inode++, entries: new Map(), durableEntries: new Map(), pendingNames: [] };
  }

  newFile(): SimFile {
    return { inode: this.#inode++, cached: Buffer.alloc(0), durable: Buffer.alloc(0), pending: [] };
  }

  /** Another disk with the same content, all of it durable: for many experiments on one state. */
  copyTo(disk: SimDisk, from: SimDirectory = this.root, to: SimDirectory = disk.root): void {
    for (const [name, node] of from.entries) {
      const copy = isDirectory(node) ? disk.newDirectory() : disk.newFile();
      if (!isDirectory(node) && !isDirectory(copy)) {
        copy.cached = Buffer.from(node.cached);
        copy.durable = Buffer.from(node.cached);
      } else if (isDirectory(node) && isDirectory(copy)) this.copyTo(disk, node, copy);
      to.entries.set(name, copy);
      to.durableEntries.set(name, copy);
    }
  }

  usedBytes(directory: SimDirectory = this.root): number {
    let bytes = 0;
    for (const node of directory.entries.values())
      bytes += isDirectory(node) ? this.usedBytes(node) : node.cached.length;
    return bytes;
  }

  /** What was changed before the sync began becomes durable, and nothing that came while it ran. */
  static settleFile(file: SimFile, begun: number): void {
    for (const change of takeBefore(file.pending, begun)) file.durable = applied(file.durable, change);
  }

  static settleNames(directory: SimDirectory, begun: number): void {
    for (const { names } of takeBefore(directory.pendingNames, begun))
      setNames(directory.durableEntries, names);
  }

  /** After a sync that failed: the cache calls the pages clean, and only some of them reached the disk. */
  loseSomePending(file: SimFile, begun: number): void {
    for (const change of takeBefore(file.pending, begun)) {
      if (this.random.chance(0.5)) file.durable = applied(file.durable, change);
    }
  }

  /** The power fails and comes back. */
  powerCut(): void {
    const mood = this.random.pick(['drop', 'keep', 'mix', 'mix', 'mix'] as const);
    this.#cut(this.root, mood, new Set());
  }

  #cut(directory: SimDirectory, mood: 'drop' | 'keep' | 'mix', seen: Set<SimNode>): void {
    const keeps = (): boolean => mood === 'keep' || (mood === 'mix' && this.random.chance(0.5));
    for (const { names } of directory.pendingNames) if (keeps()) setNames(directory.durableEntries, names);
    directory.pendingNames = [];
    directory.entries.clear();
    for (const [name, node] of directory.durableEntries) {
      directory.entries.set(name, node);
      if (seen.has(node)) continue;
      seen.add(node);
      if (isDirectory(node)) {
        this.#cut(node, mood, seen);
        continue;
      }
      for (const change of node.pending) {
        if (keeps()) node.durable = applied(node.durable, change);
        else if (mood === 'mix') node.durable = applied(node.durable, this.#torn(change));
      }
      node.pending = [];
      node.cached = Buffer.from(node.durable);
    }
  }

  /** A part of a write: its first sectors, or any of them with holes, which read as zeros or as before. */
  #torn(change: FileChange): FileChange {
    if (change.kind === 'truncate') return { kind: 'write', order: 0, position: 0, bytes: Buffer.alloc(0) };
    const cut = this.random.below(change.bytes.length + 1);
    const length = this.random.chance(0.5) ? cut : cut - (cut % SECTOR_BYTES);
    const bytes = Buffer.from(change.bytes.subarray(0, length));
    if (this.random.chance(0.3)) {
      const hole = this.random.below(length + 1);
      bytes.fill(0, hole, Math.min(length, hole + SECTOR_BYTES));
    }
    return { ...change, bytes };
  }
}

export function isDirectory(node: SimNode): node is SimDirectory {
  return 'entries' in node;
}

export function setNames(
  entries: Map<string, SimNode>,
  names: ReadonlyArray<readonly [string, SimNode | undefined]>,
): void {
  for (const [name, node] of names) {
    if (node) entries.set(name, node);
    else entries.delete(name);
  }
}

export function applied(content: Buffer, change: FileChange): Buffer {
  if (change.kind === 'truncate') {
    const cut = Buffer.alloc(change.size);
    content.copy(cut, 0, 0, change.size);
    return cut;
  }
  const { position, bytes } = change;
  if (bytes.length === 0) return content;
  const end = position + bytes.length;
  let target = content;
  if (end > content.length) {
    target = Buffer.alloc(end);
    content.copy(target);
  }
  bytes.copy(target, position);
  return target;
}

/** Takes those out that are older; they stand in their order. */
function takeBefore<T extends { readonly order: number }>(pending: T[], order: number): T[] {
  const behind = pending.findIndex((one) => one.order >= order);
  return pending.splice(0, behind === -1 ? pending.length : behind);
}
