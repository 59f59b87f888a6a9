import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';

/** The system allows few thousand watches to all programs together; the poll finds what is not watched. */
const DIRECTORIES_MAX = 128;

/**
 * Tells early that something happened to a file in one of the watched directories. Only a hint: it may come
 * late, twice or never, and nothing depends on it.
 */
export class Hints {
  private readonly onHint: (path: string) => void;
  private readonly watchers = new Map<string, FSWatcher>();

  constructor(onHint: (path: string) => void) {
    this.onHint = onHint;
  }

  watch(directory: string): void {
    if (this.watchers.has(directory) || this.watchers.size >= DIRECTORIES_MAX) return;
    try {
      const watcher = watch(directory, { persistent: false }, (_event, name) => {
        if (name !== null) this.onHint(join(directory, name));
      });
      watcher.on('error', () => this.forget(directory));
      this.watchers.set(directory, watcher);
    } catch {
      // No such directory any more, or no watch left: the poll is enough.
    }
  }

  close(): void {
    for (const watcher of this.watchers.values()) watcher.close();
    this.watchers.clear();
  }

  private forget(directory: string): void {
    this.watchers.get(directory)?.close();
    this.watchers.delete(directory);
  }
}
