import { type Files, writeAll } from '../../host/files.ts';
import { baseOffsetOf } from '../batch/batch-header.ts';
import type { Partition } from '../partition/partition.ts';
import type { Segment } from '../segment/segment.ts';
import type { WalEntry } from './wal-entry.ts';
import { walPath, WalScan } from './wal-scan.ts';

/**
 * After a failed sync nobody knows which unsynced bytes of the segments reached the disk, and the kernel may call
 * the lost ones clean. So everything behind the last checkpoint is written again, from the write-ahead log, at
 * the same places: the same bytes, which readers may read meanwhile.
 */
export async function rewriteFromWal(
  files: Files,
  directory: string,
  kept: ReadonlyArray<{ file: number; end: number }>,
  partitionOf: (topicId: string, partition: number) => Partition | undefined,
): Promise<void> {
  const cursors = new Map<Partition, Cursor>();
  for (const { file, end: limit } of kept) {
    const path = walPath(directory, file);
    const size = (await files.stat(path))?.size;
    if (size === undefined) continue;
    const handle = await files.open(path, 'read');
    try {
      for await (const entries of new WalScan({ handle, size, file, limit }).entries()) {
        await writeAgain(files, entries, cursors, partitionOf);
      }
    } finally {
      await handle.close();
    }
  }
}

/** One write for each segment: in it, they follow each other. */
async function writeAgain(
  files: Files,
  entries: readonly WalEntry[],
  cursors: Map<Partition, Cursor>,
  partitionOf: (topicId: string, partition: number) => Partition | undefined,
): Promise<void> {
  const writes = new Map<Segment, { position: number; batches: Buffer[] }>();
  for (const { topicId, partition: number, batch } of entries) {
    const partition = partitionOf(topicId, number);
    if (!partition) continue;
    const offset = baseOffsetOf(batch);
    if (offset < partition.checkpointed.endOffset || offset >= partition.writtenOffset) continue;
    let cursor = cursors.get(partition);
    if (!cursor) cursors.set(partition, (cursor = cursorAtCheckpoint(partition)));
    // Not in any segment: retention took it off the list before the checkpoint failed.
    if (!cursor.advance(offset)) continue;
    const { segment, position } = cursor;
    const write = writes.get(segment);
    if (write) write.batches.push(batch);
    else writes.set(segment, { position, batches: [batch] });
    cursor.position += batch.length;
  }
  for (const [segment, { position, batches }] of writes) {
    const target = await files.open(segment.logPath, 'write');
    try {
      await writeAll(target, batches, position);
    } finally {
      await target.close();
    }
    segment.dirty = true;
  }
}

interface Cursor {
  segment: Segment;
  position: number;
  /** Moves on to the segment that holds `offset`; false when none does. */
  advance(offset: number): boolean;
}

function cursorAtCheckpoint(partition: Partition): Cursor {
  // A copy: DeleteRecords may take some off the list meanwhile.
  const segments = [...partition.segments];
  const last = partition.checkpointed.segments.at(-1);
  let i = segments.findIndex((segment) => segment.base === last?.base);
  return {
    segment: segments[Math.max(0, i)]!,
    position: i === -1 ? 0 : last!.bytes,
    advance(offset) {
      while (segments[i + 1] && segments[i + 1]!.base <= offset) {
        i += 1;
        this.segment = segments[i]!;
        this.position = 0;
      }
      return i !== -1;
    },
  };
}
