import type { FileHandle, Files } from '../../host/files.ts';
import { decodeEntry, findEntry, FRAME_BYTES, WAL_HEADER_BYTES, type WalEntry } from './wal-entry.ts';

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
  return scanFrom(bytes, 0, WAL_HEADER_BYTES, file, limit, take);
}

/** What is read at once. */
const WINDOW_BYTES = 1024 * 1024;

/**
 * As `scanWal`, of a file that is read a little at a time: no more of it is in memory than its largest entry, or than
 * what stands behind its first bad one. `take` is given where an entry begins, and may not keep it.
 */
export async function scanWalFile(
  handle: FileHandle,
  size: number,
  file: number,
  limit: number | undefined,
  take: (entry: WalEntry, position: number) => void,
  windowBytes = WINDOW_BYTES,
): Promise<WalScan> {
  const readable = Math.min(limit ?? size, size);
  let window = Buffer.allocUnsafe(Math.min(windowBytes, size));
  let position = Math.min(WAL_HEADER_BYTES, readable);
  for (;;) {
    const want = Math.min(window.length, readable - position);
    const got = await handle.read(window.subarray(0, want), position);
    const content = window.subarray(0, got);
    let at = 0;
    for (let entry = decodeEntry(content, 0, file, position); entry;) {
      take(entry, position + at);
      at = entry.end;
      entry = decodeEntry(content, at, file, position);
    }
    const left = readable - position - at;
    const claimed = got - at >= FRAME_BYTES ? FRAME_BYTES + content.readUInt32BE(at + 4) : FRAME_BYTES;
    position += at;
    // Bad, or the end: not for want of what is behind the window.
    if (got < want || left <= got - at || claimed <= got - at || claimed > left) break;
    if (at === 0) window = Buffer.allocUnsafe(Math.max(2 * window.length, claimed));
  }
  const rest = Buffer.allocUnsafe(Math.max(0, size - position));
  const content = rest.subarray(0, await handle.read(rest, position));
  const origin = position;
  return scanFrom(content, origin, 0, file, limit, (entry) => {
    take(entry, origin + entry.end - entry.batch.length - FRAME_BYTES);
  });
}

/** `bytes` are the file from `origin` on; the first entry is at `start` in them. */
function scanFrom(
  bytes: Buffer,
  origin: number,
  start: number,
  file: number,
  limit: number | undefined,
  take: (entry: WalEntry) => void,
): WalScan {
  const damage: Array<{ position: number; bytes: number }> = [];
  const readable = limit === undefined ? bytes : bytes.subarray(0, Math.max(0, limit - origin));
  let at = start;
  let end = Math.min(at, readable.length);
  while (at < readable.length) {
    const entry = decodeEntry(readable, at, file, origin);
    if (entry) {
      take(entry);
      at = end = entry.end;
      continue;
    }
    const next = nextAfterDamage(readable, at, file, limit, origin);
    if (next === -1) break;
    damage.push({ position: origin + at, bytes: next - at });
    at = next;
  }
  end += origin;
  if (limit !== undefined && end < limit) damage.push({ position: end, bytes: limit - end });
  const tornBytes = limit === undefined ? origin + bytes.length - end : 0;
  return { end: limit ?? end, tornBytes, damage };
}

/** Where the log goes on behind the bad entry at `bad`, or -1 when it ends there. */
function nextAfterDamage(
  bytes: Buffer,
  bad: number,
  file: number,
  limit: number | undefined,
  origin: number,
): number {
  const first = findEntry(bytes, bad + 1, file, origin);
  if (limit !== undefined || first === -1) return first;
  for (let at = first; at !== -1; at = findEntry(bytes, at + 1, file, origin)) {
    // Written after a sync that covered the bad entry: that entry had been acknowledged.
    if (decodeEntry(bytes, at, file, origin)!.synced > origin + bad) return first;
  }
  return -1;
}
