import type { Files } from '../host/files.ts';
import { decodeEntry, findEntry, WAL_HEADER_BYTES, type WalEntry } from './wal-entry.ts';

/** What reading a write-ahead log file found besides its good entries. */
export interface WalScan {
  /** End of the last good entry: what is behind was never acknowledged. */
  readonly end: number;
  /** Bytes cut off behind it: a commit that a crash interrupted. */
  readonly tornBytes: number;
  /** Places where acknowledged entries were damaged. */
  readonly damage: ReadonlyArray<{ position: number; bytes: number }>;
}

export function walPath(directory: string, file: number): string {
  return `${directory}/${String(file).padStart(20, '0')}.wal`;
}

/** Numbers of the files in the directory, ascending. */
export async function listWal(files: Files, directory: string): Promise<number[]> {
  const names = await files.list(directory);
  return names.filter((name) => /^\d{20}\.wal$/.test(name)).map((name) => Number(name.slice(0, 20)));
}

/**
 * Hands every good entry of a file to `take`, in order.
 *
 * A crash tears only what was not yet synced. So a bad entry with a good one behind it that was written after
 * the bad one had been synced is damage: it is skipped and reported. Any other bad entry is the torn tail: the
 * log ends there, whatever follows. `limit` is the file's known end, when a later file states it.
 */
export function scanWal(
  bytes: Buffer,
  file: number,
  limit: number | undefined,
  take: (entry: WalEntry) => void,
): WalScan {
  const damage: Array<{ position: number; bytes: number }> = [];
  const readable = limit === undefined ? bytes : bytes.subarray(0, limit);
  let at = WAL_HEADER_BYTES;
  let end = Math.min(at, readable.length);
  while (at < readable.length) {
    const entry = decodeEntry(readable, at, file);
    if (entry) {
      take(entry);
      at = end = entry.end;
      continue;
    }
    const next = nextAfterDamage(readable, at, file, limit);
    if (next === -1) break;
    damage.push({ position: at, bytes: next - at });
    at = next;
  }
  if (limit !== undefined && end < limit) damage.push({ position: end, bytes: limit - end });
  const tornBytes = limit === undefined ? bytes.length - end : 0;
  return { end: limit ?? end, tornBytes, damage };
}

/** Where the log goes on behind the bad entry at `bad`, or -1 when it ends there. */
function nextAfterDamage(bytes: Buffer, bad: number, file: number, limit: number | undefined): number {
  const first = findEntry(bytes, bad + 1, file);
  if (limit !== undefined || first === -1) return first;
  for (let at = first; at !== -1; at = findEntry(bytes, at + 1, file)) {
    // Written after a sync that covered the bad entry: that entry had been acknowledged.
    if (decodeEntry(bytes, at, file)!.synced > bad) return first;
  }
  return -1;
}
