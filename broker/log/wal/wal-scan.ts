import type { FileHandle, Files } from '../../host/files.ts';
import {
  decodeEntry,
  FRAME_BYTES,
  FRAME_HEAD_BYTES,
  frameHolds,
  markerBehind,
  sizeOfEntry,
  WAL_HEADER_BYTES,
  type WalEntry,
} from './wal-entry.ts';
import { WalWindow } from './wal-window.ts';

export function walPath(directory: string, file: number): string {
  return `${directory}/${String(file).padStart(20, '0')}.wal`;
}

/** Numbers of the files in the directory, ascending. */
export async function listWal(files: Files, directory: string): Promise<number[]> {
  const names = await files.list(directory);
  return names.filter((name) => /^\d{20}\.wal$/.test(name)).map((name) => Number(name.slice(0, 20)));
}

/** A write-ahead log file as it is to be read. */
export interface WalSource {
  readonly handle: FileHandle;
  readonly size: number;
  readonly file: number;
  /** The file's known end, when a later file states it. */
  readonly limit: number | undefined;
  /** What is read at once. */
  readonly windowBytes?: number;
}

/**
 * Reads the good entries of a file in order, a little of it at a time: no more of it is in memory than that, or than its
 * largest entry.
 *
 * A crash tears only what was not yet synced. So a bad entry with a good one behind it that was written after the bad
 * one had been synced is damage: it is skipped and noted. Any other bad entry is the torn tail: the log ends there,
 * whatever follows.
 */
export class WalScan {
  /** Places where acknowledged entries were damaged. */
  readonly damage: Array<{ readonly position: number; readonly bytes: number }> = [];
  /** End of the last good entry, or the known end: what is behind was never acknowledged. */
  end = 0;
  /** Bytes cut off behind it: a commit that a crash interrupted. */
  tornBytes = 0;
  readonly #file: number;
  readonly #limit: number | undefined;
  readonly #window: WalWindow;

  constructor({ handle, size, file, limit, windowBytes }: WalSource) {
    this.#file = file;
    this.#limit = limit;
    this.#window = new WalWindow(handle, Math.min(limit ?? size, size), windowBytes);
  }

  /** Those of a window at a time, whose batches are others in the next; the fields above are true when it has ended. */
  async *entries(): AsyncGenerator<readonly WalEntry[]> {
    const window = this.#window;
    const limit = this.#limit;
    let at = Math.min(WAL_HEADER_BYTES, window.end);
    for (;;) {
      await window.show(at, FRAME_HEAD_BYTES);
      const found = this.#entriesAt(at);
      at = found.at(-1)?.end ?? at;
      if (found.length > 0) yield found;
      if (await this.#showRest(at)) continue;
      const next = at < window.end ? await this.#behindDamage(at) : undefined;
      if (next === undefined) break;
      this.damage.push({ position: at, bytes: next - at });
      at = next;
    }
    this.end = limit ?? at;
    if (limit === undefined) this.tornBytes = window.end - at;
    else if (at < limit) this.damage.push({ position: at, bytes: limit - at });
  }

  /** The good ones that the window shows whole from `at` on. */
  #entriesAt(at: number): WalEntry[] {
    const { bytes, origin } = this.#window;
    const found: WalEntry[] = [];
    for (let within = at - origin; ;) {
      const entry = decodeEntry(bytes, within, this.#file, origin);
      if (!entry) return found;
      found.push(entry);
      within = entry.end - origin;
    }
  }

  /** Moves the window where it only cuts the entry at `at`; false when that is bad, or the file ends in it. */
  async #showRest(at: number): Promise<boolean> {
    const window = this.#window;
    const left = window.origin + window.bytes.length - at;
    let want = FRAME_HEAD_BYTES;
    if (left >= want) {
      if (!frameHolds(window.bytes, at - window.origin, this.#file, window.origin)) return false;
      want = sizeOfEntry(window.bytes, at - window.origin);
    }
    if (left >= want || at + want > window.end) return false;
    await window.show(at, want);
    return true;
  }

  /** Where the log goes on behind the bad entry at `bad`; undefined when it ends there. */
  async #behindDamage(bad: number): Promise<number | undefined> {
    const first = await this.#find(bad + 1);
    if (this.#limit !== undefined || !first) return first?.position;
    for (let entry: WalEntry | undefined = first; entry; entry = await this.#find(entry.position + 1)) {
      // Written after a sync that covered the bad entry: that entry had been acknowledged.
      if (entry.synced > bad) return first.position;
    }
    return undefined;
  }

  /** The next intact entry at or behind `from`. Slow path: only behind damage, or at the end. */
  async #find(from: number): Promise<WalEntry | undefined> {
    const window = this.#window;
    for (let at = from; at + FRAME_HEAD_BYTES <= window.end;) {
      await window.show(at, FRAME_HEAD_BYTES);
      const shownTo = window.origin + window.bytes.length;
      const within = markerBehind(window.bytes, at - window.origin);
      if (within === -1) {
        if (shownTo >= window.end) return undefined;
        // A frame whose marker the window cuts.
        at = shownTo - FRAME_BYTES + 1;
        continue;
      }
      at = window.origin + within;
      const entry = await this.#entryAt(at);
      if (entry) return entry;
      at += 1;
    }
    return undefined;
  }

  async #entryAt(at: number): Promise<WalEntry | undefined> {
    const window = this.#window;
    await window.show(at, FRAME_HEAD_BYTES);
    if (!frameHolds(window.bytes, at - window.origin, this.#file, window.origin)) return undefined;
    await window.show(at, sizeOfEntry(window.bytes, at - window.origin));
    return decodeEntry(window.bytes, at - window.origin, this.#file, window.origin);
  }
}
