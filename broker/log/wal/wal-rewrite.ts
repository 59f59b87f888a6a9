import { type Files, writeAll } from '../../host/files.ts';
import { baseOffsetOf } from '../batch/batch-header.ts';
import type { Partition } from '../partition/partition.ts';
import type { Segment } from '../segment/segment.ts';
import { scanWal, walPath } from './wal-scan.ts';

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
  for (const { file, end } of kept) {
    const bytes = await files.readFile(walPath(directory, file));
    if (!bytes) continue;
    const writes: Array<{ segment: Segment; position: number; batch: Buffer }> = [];
    scanWal(bytes, file, end, ({ topicId, partition: number, batch }) => {
      const partition = partitionOf(topicId, number);
      if (!partition) return;
      const offset = baseOffsetOf(batch);
      if (offset < partition.checkpointed.endOffset || offset >= partition.writtenOffset) return;
      let cursor = cursors.get(partition);
      if (!cursor) cursors.set(partition, (cursor = cursorAtCheckpoint(partition)));
      // Not in any segment: retention took it off the list before the checkpoint failed.
      if (!cursor.advance(offset)) return;
      writes.push({ segment: cursor.segment, position: cursor.position, batch });
      cursor.position += batch.length;
    });
    for (const { segment, position, batch } of writes) {
      const target = await files.open(segment.logPath, 'write');
      try {
        await writeAll(target, [batch], position);
      } finally {
        await target.close();
      }
      segment.dirty = true;
    }
  }
}

interface Cursor {
  segment: Segment;
  position: number;
  /** Moves on to the segment that holds `offset`; false when none does. */
  advance(offset: number): boolean;
}

function cursorAtCheckpoint({ checkpointed, segments }: Partition): Cursor {
  const last = checkpointed.segments.at(-1);
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
