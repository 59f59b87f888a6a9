import { basename, dirname, extname, matchesGlob, resolve } from 'node:path';

import type { FileHandle } from '../../../broker/host/files.ts';
import { findFiles, type FoundFile } from './find-files.ts';
import { digestOf, isCompressed, readHead } from './head.ts';
import { findMissed, findMoved, isCopy, isCopyOf, recognise } from './known-files.ts';
import { encodeResource } from './line-batch.ts';
import type { Position } from './positions.ts';
import { TailedFile, type Tools } from './tailed-file.ts';

/**
 * The files that are followed: found where the configuration points, and found again after they were renamed.
 */
export class FollowedFiles {
  private readonly tools: Tools;
  private readonly hostName: string;
  private readonly onOpen: (directory: string) => void;
  /** By device and inode. */
  private readonly files = new Map<string, TailedFile>();
  /** Files that are left alone (compressed, not readable), so that this is told once. */
  private readonly ignored = new Map<string, number>();
  /** What was followed under numbers that another content has by now: copies of it go on where it was. */
  private readonly replaced = new Set<Position>();
  private scanned = false;
  private full = false;

  constructor(tools: Tools, hostName: string, onOpen: (directory: string) => void) {
    this.tools = tools;
    this.hostName = hostName;
    this.onOpen = onOpen;
  }

  all(): Iterable<TailedFile> {
    return this.files.values();
  }

  get size(): number {
    return this.files.size;
  }

  get everScanned(): boolean {
    return this.scanned;
  }

  /** Opens what the configuration names and is not followed yet; the first time also what was rotated away. */
  async scan(): Promise<void> {
    for (const { path } of this.tools.config.files) {
      for (const found of findFiles(path)) {
        const file = this.files.get(identityOf(found));
        if (!file) await this.open(found);
        // Renamed to a name that is followed as well, or renamed back.
        else if (file.state === 'moved') file.foundAt(found.path);
      }
    }
    if (!this.scanned) await this.openMoved();
    this.scanned = true;
  }

  /** Opens files that came and went at the path of a rotated one between two looks. */
  async openMissed(rotated: Position): Promise<void> {
    const { path, truncatedMs = 0 } = rotated;
    if (!this.entryOf(path)) return;
    // What was made before a truncation is a copy of what was truncated.
    const bornMs = Math.max(rotated.bornMs || (findMoved(rotated)?.bornMs ?? 0), truncatedMs);
    for (const found of findMissed(path, bornMs)) {
      if (!this.files.has(identityOf(found))) (await this.open(found, { madeAt: path }))?.moved();
    }
  }

  /** It was read to its end and nobody writes to it any more. */
  async close(file: TailedFile): Promise<void> {
    this.files.delete(identityOf(file.position));
    await file.close();
  }

  async closeAll(): Promise<void> {
    for (const file of this.files.values()) await file.close();
    this.files.clear();
  }

  /** Files with unread lines that were rotated away while the agent was stopped. */
  private async openMoved(): Promise<void> {
    const oldest = new Map<string, Position>();
    for (const position of this.tools.positions.entries) {
      const { path } = position;
      if (!this.entryOf(path)) continue;
      if (!this.files.has(identityOf(position))) {
        const found = findMoved(position);
        if (found) position.bornMs ||= found.bornMs;
        // Its writer may not have noticed yet, and write on.
        const isWarm = found && this.nowMs() - found.modifiedMs < this.tools.config.tail.closeAfterMs;
        if (found && (found.size > position.offset || isWarm))
          (await this.open(found, { as: position }))?.moved();
      }
      if (position.bornMs > 0 && position.bornMs < (oldest.get(path)?.bornMs ?? Infinity)) {
        oldest.set(path, position);
      }
    }
    for (const position of oldest.values()) await this.openMissed(position);
    for (const position of this.replaced) await this.openMissed(position);
    this.replaced.clear();
  }

  private entryOf(path: string): { readonly serviceName?: string | undefined } | undefined {
    return this.tools.config.files.find(
      (entry) => path === resolve(entry.path) || matchesGlob(path, resolve(entry.path)),
    );
  }

  /**
   * Opens a file where it was found. `as`: only if it is that one. `madeAt`: only if it is new, and then as one
   * that was written under this path.
   */
  private async open(
    found: FoundFile,
    { as, madeAt }: { as?: Position; madeAt?: string } = {},
  ): Promise<TailedFile | undefined> {
    const { host, positions } = this.tools;
    if (!this.hasRoom(found.path)) return undefined;
    const identity = identityOf(found);
    if (this.ignored.get(identity) === found.modifiedMs) return undefined;
    let handle: FileHandle | undefined;
    try {
      handle = await host.files.open(found.path, 'read');
      const stat = await handle.stat();
      const head = await readHead(handle);
      const swapped = stat.device !== found.device || stat.inode !== found.inode;
      const recognised = recognise(positions, found, head);
      let known = recognised.type === 'known' ? recognised.position : undefined;
      const original = madeAt && !known ? this.originalOf(found, head) : undefined;
      if (original) known = positions.copy(original, found);
      const unwanted =
        (as !== undefined && known !== as) ||
        (madeAt !== undefined && !original && (known !== undefined || isCopy(positions, head)));
      if (swapped || unwanted || isCompressed(head)) {
        await handle.close();
        if (isCompressed(head)) this.ignore(found, 'compressed');
        return undefined;
      }
      const instead = recognised.type === 'new' ? recognised.instead : undefined;
      if (instead) {
        positions.remove(instead);
        if (!this.scanned) this.replaced.add(instead);
      }
      const { device, inode, bornMs } = found;
      const truncatedMs = instead && instead.bornMs === bornMs ? stat.modifiedMs : undefined;
      const position =
        known ??
        positions.create({
          device,
          inode,
          bornMs,
          truncatedMs,
          path: madeAt ?? found.path,
          head: digestOf(head),
        });
      position.device = found.device;
      position.seenMs = host.clock.nowMs();
      const serviceName = this.entryOf(position.path)?.serviceName ?? nameOf(position.path);
      const attributes = { 'service.name': serviceName, 'host.name': this.hostName };
      const file = new TailedFile(this.tools, handle, head, position, encodeResource(attributes));
      file.path = found.path;
      file.pending = file.noticed(stat.size, stat.modifiedMs);
      this.files.set(identity, file);
      this.onOpen(dirname(found.path));
      host.log.info({ path: found.path, offset: position.offset, size: stat.size }, 'following the file');
      return file;
    } catch (error) {
      await handle?.close().catch(() => {});
      // Gone again, or not ours to read.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.ignore(found, String(error));
      return undefined;
    }
  }

  /** Whose copy it is: one that was truncated while the agent was stopped. */
  private originalOf({ size }: FoundFile, head: Uint8Array): Position | undefined {
    for (const position of this.replaced) {
      if (size >= position.offset && isCopyOf(position, head)) {
        this.replaced.delete(position);
        return position;
      }
    }
    return undefined;
  }

  private nowMs(): number {
    return this.tools.host.clock.nowMs();
  }

  private hasRoom(path: string): boolean {
    const { filesMax } = this.tools.config.tail;
    if (this.files.size < filesMax) return true;
    if (!this.full) this.tools.host.log.warn({ filesMax, path }, 'too many open files: further files wait');
    this.full = true;
    return false;
  }

  /** Leaves a file alone until it changes, and says so once. */
  private ignore({ path, modifiedMs, ...found }: FoundFile, reason: string): void {
    // Forgotten all at once when there are very many: the worst is that they are told again.
    if (this.ignored.size > 10_000) this.ignored.clear();
    this.ignored.set(identityOf(found), modifiedMs);
    this.tools.host.log.warn({ path, reason }, 'the file is not followed');
  }
}

function identityOf({ device, inode }: { device: number; inode: number }): string {
  return `${device}:${inode}`;
}

/** The base name without its extension. */
function nameOf(path: string): string {
  return basename(path, extname(path));
}
