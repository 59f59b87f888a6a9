import { readdirSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';

import { findFile, type FoundFile } from './find-files.ts';
import { matches } from './head.ts';
import type { Position, Positions } from './positions.ts';

/** What a file that was just opened turns out to be. */
export type Recognised =
  | { readonly type: 'known'; readonly position: Position }
  /** `instead`: the entry whose numbers it carries although it is another file. */
  | { readonly type: 'new'; readonly instead: Position | undefined };

/**
 * Compares a file with the checkpoint: same device and inode, not younger than the entry, as long as what was
 * acknowledged, and beginning with the same bytes. Only all of this together makes it the same file: inode
 * numbers are used again at once, and files often begin alike. A device number alone may differ: it can change
 * with a restart of the machine, while path and inode stay.
 */
export function recognise(positions: Positions, found: FoundFile, head: Uint8Array): Recognised {
  let instead: Position | undefined;
  for (const position of positions.entries) {
    if (position.inode !== found.inode) continue;
    const here = position.device === found.device;
    if (!here && position.path !== found.path) continue;
    const bornAlike = position.bornMs === 0 || found.bornMs === 0 || position.bornMs === found.bornMs;
    if (bornAlike && found.size >= position.offset && matches(head, position.head)) {
      return { type: 'known', position };
    }
    if (here) instead = position;
  }
  return { type: 'new', instead };
}

/**
 * Where a file that was renamed while the agent was stopped is now: in its old directory under another name.
 * Undefined when it is not there.
 */
export function findMoved(position: Position): FoundFile | undefined {
  const directory = dirname(position.path);
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    return undefined;
  }
  for (const name of names) {
    const found = findFile(join(directory, name));
    if (found?.inode === position.inode && found.device === position.device) return found;
  }
  return undefined;
}

/** What rotation puts behind a name: a number, a date or time, or a word that says so; perhaps compressed. */
const ROTATED = /^[.-](?:\d[\dTZ_:.-]*|old|prev|bak)(?:\.(?:gz|zst|bz2|xz|log|txt))?$/;

/** Whether `sibling` is what a rotation of `path` may be called; `app.log.lock` and `app-error.log` are not. */
export function isRotatedName(path: string, sibling: string): boolean {
  const name = basename(path);
  const extension = extname(path);
  const stem = basename(path, extension);
  if (sibling.startsWith(name) && ROTATED.test(sibling.slice(name.length))) return true;
  if (extension === '' || !sibling.startsWith(stem) || !sibling.endsWith(extension)) return false;
  return ROTATED.test(sibling.slice(stem.length, -extension.length));
}

/**
 * Files that were made, written and renamed away between two looks, so that they were never seen at the path:
 * siblings named after it (`app.log.1`, `app.log-20261122`, `app-1.log`) that were made after `sinceMs`, when the file
 * that was last followed there was made. Copies of a file that is known begin as it does, and are left out by the caller.
 */
export function findMissed(path: string, sinceMs: number): FoundFile[] {
  if (sinceMs === 0) return [];
  const directory = dirname(path);
  let siblings: string[];
  try {
    siblings = readdirSync(directory);
  } catch {
    return [];
  }
  return (
    siblings
      .filter((one) => isRotatedName(path, one))
      .map((one) => findFile(join(directory, one)))
      .filter((one) => one !== undefined)
      // Told by the time alone: the number of a file that is gone may be that of one which was missed.
      .filter(({ claimedBornMs }) => claimedBornMs > sinceMs)
      .sort((a, b) => a.claimedBornMs - b.claimedBornMs)
  );
}

/** A beginning this long that two files share is no accident. */
const TELLING_BYTES = 64;

/** Whether a file begins as one that is known: a copy, as `cp` before a rotation makes it. */
export function isCopy(positions: Positions, head: Uint8Array): boolean {
  for (const position of positions.entries) if (isCopyOf(position, head)) return true;
  return false;
}

export function isCopyOf({ head: digest }: Position, head: Uint8Array): boolean {
  const telling = digest.length >= TELLING_BYTES || (digest.length > 0 && digest.length === head.length);
  return telling && matches(head, digest);
}
