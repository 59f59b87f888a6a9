import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

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
 * Undefined when it is not there or has nothing unread.
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
    if (found?.inode === position.inode && found.device === position.device) {
      return found.size > position.offset ? found : undefined;
    }
  }
  return undefined;
}
