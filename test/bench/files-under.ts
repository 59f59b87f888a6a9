import { type Dirent, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of all files in a directory whose owner goes on renaming and deleting: what vanishes meanwhile is left out. */
export function filesUnder(directory: string): string[] {
  const files: string[] = [];
  for (const entry of entriesOf(directory)) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) files.push(...filesUnder(path));
    else if (entry.isFile()) files.push(path);
  }
  return files;
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
