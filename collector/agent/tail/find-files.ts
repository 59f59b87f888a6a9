import { globSync, statSync } from 'node:fs';
import { resolve } from 'node:path';

/** What identifies a file while it exists, across renames. */
export interface FoundFile {
  readonly path: string;
  readonly device: number;
  readonly inode: number;
  readonly size: number;
  readonly modifiedMs: number;
  /** When it was made, ms; 0 where the file system does not say. */
  readonly bornMs: number;
  /** The same as the system gave it: true only where some file of the file system has a `bornMs`. */
  readonly claimedBornMs: number;
}

/** A path's regular file, symbolic links followed; undefined when there is none (or no right to look). */
export function findFile(path: string): FoundFile | undefined {
  try {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat?.isFile()) return undefined;
    return {
      path,
      device: stat.dev,
      inode: stat.ino,
      size: stat.size,
      modifiedMs: stat.mtimeMs,
      // Where the system cannot say, it gives the time of the last change instead, which is no identity.
      bornMs: stat.birthtimeMs === stat.ctimeMs ? 0 : stat.birthtimeMs,
      claimedBornMs: stat.birthtimeMs,
    };
  } catch {
    return undefined;
  }
}

/** The regular files that a path or pattern names at this moment, sorted, with absolute paths. */
export function findFiles(pattern: string): FoundFile[] {
  // A path that exists is meant literally, whatever characters it has.
  const literal = findFile(resolve(pattern));
  if (literal) return [literal];
  if (!/[*?[\]{}]/.test(pattern)) return [];
  const found: FoundFile[] = [];
  for (const path of globSync(pattern).sort()) {
    const file = findFile(resolve(path));
    if (file) found.push(file);
  }
  return found;
}
