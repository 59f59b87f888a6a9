import { codecOf, DECOMPRESSED_BYTES_MAX } from '../../records/codecs.ts';
import {
  attributesOf,
  baseOffsetOf,
  baseTimestampOf,
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  CRC_START,
  isControl,
  isLogAppendTime,
  maxTimestampOf,
  recordCountOf,
  writeInt64,
} from '../batch/batch-header.ts';
import { crc32c } from '../batch/crc32c.ts';
import { type RecordRange, walkRecords, writeVarint } from './record-walk.ts';

/** Bit of the attributes: the base timestamp is when what deletes in this batch may go itself. */
const DELETE_HORIZON = 0x40;

export interface CleaningRules {
  /** The latest offset of a key in what is being cleaned; -1 when it is not in it. */
  latest(key: Buffer): number;
  /** All records of the batch belong to a transaction that was aborted. */
  isAborted(batch: Buffer): boolean;
  /** Nothing is left of the transaction that this marker ends. */
  isLoneMarker(batch: Buffer): boolean;
  readonly nowMs: number;
  /** How long a tombstone or a lone marker stays after the first cleaning that finds it. */
  readonly deleteRetentionMs: number;
}

/**
 * The batch as it stays: the very same bytes, or with fewer records under the same offsets; undefined when nothing
 * of it stays. A record goes when a later one has its key, when it has no key, or when it is a tombstone past its
 * time.
 * @throws Error when the records cannot be read
 */
export function cleanBatch(batch: Buffer, rules: CleaningRules): Buffer | undefined {
  if (recordCountOf(batch) === 0) return undefined;
  const horizonMs = horizonOf(batch);
  const isPast = horizonMs !== undefined && horizonMs <= rules.nowMs;
  if (isControl(batch)) {
    if (!rules.isLoneMarker(batch)) return batch;
    if (isPast) return undefined;
    return horizonMs === undefined ? withHorizon(batch, rules) : batch;
  }
  if (rules.isAborted(batch)) return undefined;
  const records = recordsOf(batch);
  const baseOffset = baseOffsetOf(batch);
  const kept: RecordRange[] = [];
  let count = 0;
  let tombstones = 0;
  walkRecords(records, recordCountOf(batch), (range) => {
    count += 1;
    if (range.keyBytes < 0) return;
    const key = records.subarray(range.keyAt, range.keyAt + range.keyBytes);
    if (rules.latest(key) > baseOffset + range.offsetDelta) return;
    if (range.valueBytes < 0) {
      if (isPast) return;
      tombstones += 1;
    }
    kept.push({ ...range });
  });
  if (kept.length === 0) return undefined;
  const needsHorizon = tombstones > 0 && horizonMs === undefined;
  if (kept.length === count && !needsHorizon) return batch;
  return rebuilt(batch, records, kept, needsHorizon ? rules.nowMs + rules.deleteRetentionMs : undefined);
}

/** Calls `visit` with the keys of the batch's records and their offsets; false ends the walk's effect. */
export function keysOf(batch: Buffer, visit: (key: Buffer, offset: number) => void): void {
  const records = recordsOf(batch);
  const baseOffset = baseOffsetOf(batch);
  walkRecords(records, recordCountOf(batch), ({ keyAt, keyBytes, offsetDelta }) => {
    if (keyBytes >= 0) visit(records.subarray(keyAt, keyAt + keyBytes), baseOffset + offsetDelta);
  });
}

function recordsOf(batch: Buffer): Buffer {
  return codecOf(attributesOf(batch)).decompress(batch.subarray(BATCH_HEADER_BYTES), DECOMPRESSED_BYTES_MAX);
}

function horizonOf(batch: Buffer): number | undefined {
  return (attributesOf(batch) & DELETE_HORIZON) === 0 ? undefined : baseTimestampOf(batch);
}

function withHorizon(batch: Buffer, { nowMs, deleteRetentionMs }: CleaningRules): Buffer {
  const records = recordsOf(batch);
  const kept: RecordRange[] = [];
  walkRecords(records, recordCountOf(batch), (range) => void kept.push({ ...range }));
  return rebuilt(batch, records, kept, nowMs + deleteRetentionMs);
}

/** With the horizon as new base of its timestamps, where one is given; offsets, producer and sequence as they were. */
function rebuilt(
  batch: Buffer,
  records: Buffer,
  kept: readonly RecordRange[],
  horizonMs: number | undefined,
): Buffer {
  const baseTimestamp = baseTimestampOf(batch);
  const shiftMs = horizonMs === undefined ? 0 : baseTimestamp - horizonMs;
  const pieces = kept.map((range) =>
    shiftMs === 0 ? records.subarray(range.start, range.end) : shifted(records, range, shiftMs),
  );
  const packed = codecOf(attributesOf(batch)).compress(Buffer.concat(pieces));
  const made = Buffer.concat([batch.subarray(0, BATCH_HEADER_BYTES), packed]);
  made.writeInt32BE(made.length - BATCH_PREFIX_BYTES, 8);
  made.writeInt32BE(kept.length, 57);
  if (horizonMs !== undefined) {
    made.writeInt16BE(attributesOf(batch) | DELETE_HORIZON, 21);
    writeInt64(made, horizonMs, 27);
  }
  if (!isLogAppendTime(batch)) {
    let largest = -1;
    for (const { timestampDelta } of kept) largest = Math.max(largest, baseTimestamp + timestampDelta);
    writeInt64(made, Math.min(largest, maxTimestampOf(batch)), 35);
  }
  made.writeUInt32BE(crc32c(made, CRC_START), 17);
  return made;
}

/** The record with its timestamp counted from another base. */
function shifted(records: Buffer, range: RecordRange, shiftMs: number): Buffer {
  const timestamp: number[] = [];
  writeVarint(timestamp, range.timestampDelta + shiftMs);
  const rest = range.end - range.timestampEnd;
  const length: number[] = [];
  writeVarint(length, 1 + timestamp.length + rest);
  return Buffer.concat([
    Buffer.from(length),
    records.subarray(range.timestampAt - 1, range.timestampAt),
    Buffer.from(timestamp),
    records.subarray(range.timestampEnd, range.end),
  ]);
}
