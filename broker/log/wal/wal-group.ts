import type { LogError } from '../errors.ts';
import { encodeFrame } from './wal-entry.ts';

/** What the write-ahead log takes: one batch, and who is told what becomes of it. */
export interface WalItem {
  readonly topicId: Buffer;
  readonly partition: number;
  /** The batch, behind room for its frame, which is written here. Neither may change until it is durable. */
  readonly entry: Buffer;
  /** 0: durable before it is committed. Else written before, and synced within so many ms; Infinity: with others. */
  readonly syncWithinMs: number;
  /** The batch counts: it is durable, or written where that is enough. */
  committed(): void;
  /** Whether the entry is needed behind `committed`, for a sync that fails: told before it, and when that is over. */
  owe(yes: boolean): void;
  /** The batch is not in the log; called in the reverse order of the appends. */
  refused(error: LogError): void;
}

/** One group: bounds the time that the first in it waits for the last. */
const GROUP_BYTES_MAX = 16 * 1024 * 1024;

/** How many of those that wait, from the first on, are written together. */
export function groupLength(waiting: readonly WalItem[]): number {
  let bytes = 0;
  let count = 0;
  while (count < waiting.length && (count === 0 || bytes < GROUP_BYTES_MAX)) {
    bytes += waiting[count]!.entry.length;
    count += 1;
  }
  return count;
}

/**
 * The parts of one write at `start`; fills in the frames. Entries that follow each other in memory, as those of one slab
 * do, are one part.
 */
export function encodeGroup(
  group: readonly WalItem[],
  file: number,
  start: number,
  synced: number,
): Buffer[] {
  const chunks: Buffer[] = [];
  let position = start;
  let run = group[0]!.entry;
  let runEnd = run.byteOffset;
  for (const { topicId, partition, entry } of group) {
    encodeFrame(entry, topicId, partition, { file, position, synced });
    position += entry.length;
    if (entry.buffer !== run.buffer || entry.byteOffset !== runEnd) {
      chunks.push(piece(run, runEnd));
      run = entry;
    }
    runEnd = entry.byteOffset + entry.length;
  }
  chunks.push(piece(run, runEnd));
  return chunks;
}

/** From where `first` begins to `end` in the memory that it is a part of. */
function piece(first: Buffer, end: number): Buffer {
  return Buffer.from(first.buffer, first.byteOffset, end - first.byteOffset);
}
