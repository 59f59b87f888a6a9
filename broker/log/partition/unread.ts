import {
  BATCH_HEADER_BYTES,
  dataRecordsOf,
  lastOffsetOf,
  maxTimestampOf,
  baseOffsetOf,
} from '../batch/batch-header.ts';
import type { Partition } from './partition.ts';
import type { Segment } from '../segment/segment.ts';
import { placeOf, SegmentCounts } from '../segment/segment-counts.ts';

/** What a reader has before it. */
export interface Unread {
  /** Up to the high watermark, those of open and aborted transactions among them; markers are none. */
  readonly records: number;
  /** Of the batches that hold them, as stored. */
  readonly bytes: number;
  /**
   * When the oldest of them was appended. Known to the second for what came since the log was opened; for what is
   * older the timestamp that clients gave, but not after the opening. Undefined where there is none.
   */
  readonly oldestMs: number | undefined;
  /** As it stands in its batch, which is what retention judges by. */
  readonly timestampMs: number | undefined;
}

export const NOTHING_UNREAD: Unread = {
  records: 0,
  bytes: 0,
  oldestMs: undefined,
  timestampMs: undefined,
};

const WALK_BYTES = 64 * 1024;

/** What memory alone tells of what is at and behind `offset`; undefined where the disk must be asked. */
export function unreadInMemory(partition: Partition, offset: number): Unread | undefined {
  const { tail, highWatermark, ledger } = partition;
  let at = Math.max(offset, partition.startOffset);
  if (at >= highWatermark) return NOTHING_UNREAD;
  const first = tail.firstOffset;
  if (first === undefined || at < first) return undefined;
  const asked = at;
  // From the next boundary on the totals say it; up to there, and to the first record, the batches are looked at.
  const boundary = ledger.boundaryFrom(at);
  const walkTo = boundary?.offset ?? highWatermark;
  let records = 0;
  let bytes = 0;
  let oldest: { readonly offset: number; readonly timestampMs: number } | undefined;
  while (at < highWatermark && (at < walkTo || !oldest)) {
    const batches = tail.read(at, highWatermark, WALK_BYTES, true);
    if (batches.length === 0) break;
    for (const batch of batches) {
      const count = dataRecordsOf(batch);
      const base = baseOffsetOf(batch);
      const lastOffset = lastOffsetOf(batch);
      at = lastOffset + 1;
      if (count === 0) continue;
      const left = Math.min(count, lastOffset - Math.max(asked, base) + 1);
      oldest ??= { offset: base, timestampMs: maxTimestampOf(batch) };
      if (base < walkTo) {
        records += left;
        bytes += batch.length;
      }
      if (at >= walkTo) break;
    }
  }
  if (boundary) {
    records += ledger.records - boundary.records;
    bytes += ledger.bytes - boundary.bytes;
  }
  return oldest ? unreadOf(partition, records, bytes, oldest.offset, oldest.timestampMs) : NOTHING_UNREAD;
}

/** The same with the help of the disk: a header or two, where offsets are a count. */
export async function unreadFrom(partition: Partition, offset: number): Promise<Unread> {
  const known = unreadInMemory(partition, offset);
  if (known) return known;
  const from = Math.max(offset, partition.startOffset);
  // All of this turn: what is written, or compacted, while the disk is read belongs to the next time.
  const { writtenOffset } = partition;
  const behind = unreadInMemory(partition, Math.max(from, writtenOffset)) ?? NOTHING_UNREAD;
  const extents = partition.segments.map((segment, i, all) => ({
    segment,
    bytes: segment.bytes,
    records: segment.records,
    end: all[i + 1]?.base ?? writtenOffset,
  }));
  let { records, bytes } = behind;
  let oldest: { readonly offset: number; readonly timestampMs: number } | undefined;
  for (const extent of extents) {
    if (extent.end <= from || extent.bytes === 0) continue;
    // Whole, and not needed for the time.
    if (oldest && extent.records !== undefined) {
      records += extent.records;
      if (extent.records > 0) bytes += extent.bytes;
      continue;
    }
    const part = await unreadInSegment(partition, extent, Math.max(from, extent.segment.base));
    records += part.records;
    bytes += part.bytes;
    oldest ??= part.oldest;
  }
  if (oldest) return unreadOf(partition, records, bytes, oldest.offset, oldest.timestampMs);
  return behind;
}

interface Extent {
  readonly segment: Segment;
  readonly bytes: number;
  readonly records: number | undefined;
  readonly end: number;
}

async function unreadInSegment(
  partition: Partition,
  { segment, bytes, records, end }: Extent,
  from: number,
): Promise<{ records: number; bytes: number; oldest: { offset: number; timestampMs: number } | undefined }> {
  const { pool } = partition.owner;
  const nothing = { records: 0, bytes: 0, oldest: undefined };
  if (records === 0) return nothing;
  const isDense = records === end - segment.base;
  const index = isDense ? await segment.index(pool, partition.expectation()) : undefined;
  return await pool.use('read', segment.logPath, async (file) => {
    let start = { position: index?.positionFor(from).position ?? 0, records: 0 };
    let total = records;
    if (!isDense) {
      const counts = (segment.counts ??= new SegmentCounts());
      const isWhole = await counts.extend(file, Math.max(bytes, counts.coveredBytes));
      // Behind damage nothing is known but offsets.
      if (records === undefined && isWhole) {
        total = counts.records;
        if (counts.coveredBytes === segment.bytes) segment.records = total;
      }
      start = counts.startFor(from);
    }
    const place = await placeOf(file, start.position, bytes, from);
    if (place.timestampMs === undefined) return nothing;
    const left = isDense || total === undefined ? end - from : total - start.records - place.recordsBefore;
    return {
      records: Math.max(0, left),
      bytes: Math.max(BATCH_HEADER_BYTES, bytes - place.position),
      oldest: { offset: place.baseOffset, timestampMs: place.timestampMs },
    };
  });
}

function unreadOf(
  { ledger }: Partition,
  records: number,
  bytes: number,
  oldestOffset: number,
  timestampMs: number,
): Unread {
  const { notBeforeMs, notAfterMs } = ledger.appendedWithin(oldestOffset);
  const given = timestampMs < 0 ? notAfterMs : timestampMs;
  return { records, bytes, oldestMs: Math.min(Math.max(given, notBeforeMs), notAfterMs), timestampMs };
}
