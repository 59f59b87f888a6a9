/**
 * What can be judged of a batch only by its records, and compressing it again: done for topics that ask for it and for
 * batches whose header looks wrong. Every other batch stays closed, which is the fast path.
 */
import { codecOf, CODECS, DECOMPRESSED_BYTES_MAX } from '../../records/codecs.ts';
import {
  attributesOf,
  baseTimestampOf,
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  CRC_START,
  maxTimestampOf,
  recordCountOf,
  writeInt64,
} from './batch-header.ts';
import { crc32c } from './crc32c.ts';
import { LogError, type RecordError } from '../errors.ts';
import { readVarint } from './batch-records.ts';

export interface RecordRules {
  readonly compacts: boolean;
  readonly logAppendTime: boolean;
  /** Infinity: no bound. */
  readonly timestampBeforeMaxMs: number;
  readonly timestampAfterMaxMs: number;
  /** The codec that batches are kept in; undefined keeps the producer's. */
  readonly codec: number | undefined;
  readonly maxMessageBytes: number;
}

const CODEC_BITS = 7;
const NO_TIMESTAMP = -1;
/** As Kafka: a batch of thousands of bad records is told of a few. */
const ERRORS_MAX = 3;

/**
 * The batch as it is to be kept: the one given, or one with a true maximum timestamp or another codec.
 * @throws LogError INVALID_RECORD or INVALID_TIMESTAMP with the records that are to blame; MESSAGE_TOO_LARGE
 */
export function checkRecords(batch: Buffer, rules: RecordRules, nowMs: number): Buffer {
  const isTimed = !rules.logAppendTime && hasSuspiciousTime(batch, rules, nowMs);
  const isRecompressed = rules.codec !== undefined && rules.codec !== (attributesOf(batch) & CODEC_BITS);
  if (!rules.compacts && !isTimed && !isRecompressed) return batch;
  const records = opened(batch);
  const maxTimestamp = checkEach(batch, records, { ...rules, isTimed }, nowMs);
  const isTrue = !isTimed || maxTimestamp === maxTimestampOf(batch);
  if (isTrue && !isRecompressed) return batch;
  const kept = isRecompressed ? recompressed(batch, records, rules.codec!) : Buffer.from(batch);
  if (!isTrue) writeInt64(kept, maxTimestamp, 35);
  kept.writeUInt32BE(crc32c(kept, CRC_START), 17);
  if (kept.length > rules.maxMessageBytes) {
    const message = `cannot append batch: got ${kept.length} bytes when compressed as the topic wants, want max.message.bytes ${rules.maxMessageBytes}`;
    throw new LogError('MESSAGE_TOO_LARGE', message);
  }
  return kept;
}

/**
 * Producers stamp with their clock and write the largest time into the header; a time too old shows in none, so a bound
 * on it opens every batch whose first record or its neighbours could be beyond.
 */
function hasSuspiciousTime(batch: Buffer, rules: RecordRules, nowMs: number): boolean {
  if (maxTimestampOf(batch) - nowMs > rules.timestampAfterMaxMs) return true;
  return rules.timestampBeforeMaxMs !== Number.POSITIVE_INFINITY;
}

function opened(batch: Buffer): Buffer {
  try {
    return codecOf(attributesOf(batch)).decompress(
      batch.subarray(BATCH_HEADER_BYTES),
      DECOMPRESSED_BYTES_MAX,
    );
  } catch (error) {
    throw new LogError('INVALID_RECORD', `cannot append batch: got records that cannot be read`, error);
  }
}

/** The largest timestamp. @throws LogError */
function checkEach(
  batch: Buffer,
  records: Buffer,
  rules: RecordRules & { readonly isTimed: boolean },
  nowMs: number,
): number {
  const earliest = nowMs - rules.timestampBeforeMaxMs;
  const latest = nowMs + rules.timestampAfterMaxMs;
  const baseTimestamp = baseTimestampOf(batch);
  const errors: RecordError[] = [];
  let count = 0;
  let isTime = false;
  let maxTimestamp = NO_TIMESTAMP;
  const cursor = { at: 0 };
  const blame = (batchIndex: number, message: string, isOfTime: boolean): void => {
    if (count === 0) isTime = isOfTime;
    count += 1;
    if (errors.length < ERRORS_MAX) errors.push({ batchIndex, message });
  };
  for (let i = 0; i < recordCountOf(batch); i += 1) {
    const { timestampDelta, keyLength } = readHead(records, cursor, i);
    const timestamp = baseTimestamp + timestampDelta;
    maxTimestamp = Math.max(maxTimestamp, timestamp);
    if (rules.compacts && keyLength < 0) {
      blame(i, 'cannot append a record without a key: the topic is compacted', false);
    } else if (rules.isTimed && timestamp !== NO_TIMESTAMP && (timestamp < earliest || timestamp > latest)) {
      blame(i, `cannot append a record: got timestamp ${timestamp}, want ${earliest} to ${latest}`, true);
    }
  }
  if (count > 0) {
    const message = `cannot append batch: got ${count} bad records, of which the first are: ${errors[0]!.message}`;
    throw new LogError(isTime ? 'INVALID_TIMESTAMP' : 'INVALID_RECORD', message, undefined, errors);
  }
  return maxTimestamp;
}

/** Reads a record's head and steps behind the record. @throws LogError on what is none */
function readHead(
  records: Buffer,
  cursor: { at: number },
  index: number,
): { timestampDelta: number; keyLength: number } {
  try {
    const length = readVarint(records, cursor);
    const end = cursor.at + length;
    if (length < 0 || end > records.length) throw new Error(`got a length of ${length}`);
    cursor.at += 1;
    const timestampDelta = readVarint(records, cursor);
    readVarint(records, cursor);
    const keyLength = readVarint(records, cursor);
    if (cursor.at > end) throw new Error('got a record that ends too early');
    cursor.at = end;
    return { timestampDelta, keyLength };
  } catch (error) {
    throw new LogError('INVALID_RECORD', `cannot append batch: cannot read record ${index}`, error);
  }
}

/** Without its CRC. */
function recompressed(batch: Buffer, records: Buffer, codec: number): Buffer {
  const payload = CODECS[codec]!.compress(records);
  const kept = Buffer.concat([batch.subarray(0, BATCH_HEADER_BYTES), payload]);
  kept.writeInt32BE(kept.length - BATCH_PREFIX_BYTES, 8);
  kept.writeInt16BE((attributesOf(batch) & ~CODEC_BITS) | codec, 21);
  return kept;
}
