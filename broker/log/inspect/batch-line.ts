import { isUtf8 } from 'node:buffer';

import { CODECS, codecOf, DECOMPRESSED_BYTES_MAX } from '../../records/codecs.ts';
import {
  attributesOf,
  baseOffsetOf,
  baseSequenceOf,
  baseTimestampOf,
  BATCH_HEADER_BYTES,
  crcHolds,
  isControl,
  isLogAppendTime,
  isTransactional,
  lastOffsetOf,
  leaderEpochOf,
  magicOf,
  maxTimestampOf,
  producerEpochOf,
  producerIdOf,
  recordCountOf,
} from '../batch/batch-header.ts';
import { readVarint } from '../batch/batch-records.ts';
import { walkRecords } from '../compaction/record-walk.ts';
import { markerOf } from '../producers/transaction-marker.ts';

/** Attribute bit 6: the base timestamp is the time from which compaction may drop the batch. */
const DELETE_HORIZON = 0x40;

/** Fields as kafka-dump-log.sh names and orders them, so that what reads its output reads ours. */
export type Fields = Record<string, string | number | boolean | null | readonly string[]>;

/** `size` is what is to be taken for the batch; its CRC decides whether it is one. */
export function batchFields(batch: Buffer, position: number): Fields {
  const count = recordCountOf(batch);
  const sequence = baseSequenceOf(batch);
  const hasHorizon = (attributesOf(batch) & DELETE_HORIZON) !== 0;
  return {
    baseOffset: baseOffsetOf(batch),
    lastOffset: lastOffsetOf(batch),
    count,
    baseSequence: sequence,
    lastSequence: sequence < 0 ? -1 : (sequence + Math.max(0, count - 1)) % 2 ** 31,
    producerId: producerIdOf(batch),
    producerEpoch: producerEpochOf(batch),
    partitionLeaderEpoch: leaderEpochOf(batch),
    isTransactional: isTransactional(batch),
    isControl: isControl(batch),
    ...(hasHorizon ? { deleteHorizonMs: baseTimestampOf(batch) } : {}),
    position,
    [isLogAppendTime(batch) ? 'LogAppendTime' : 'CreateTime']: maxTimestampOf(batch),
    size: batch.length,
    magic: magicOf(batch),
    compresscodec: CODECS[attributesOf(batch) & 7]?.name ?? `unknown (${attributesOf(batch) & 7})`,
    crc: batch.readUInt32BE(17),
    isvalid: crcHolds(batch, 0, batch.length),
  };
}

/** The records of a batch, one set of fields each. @throws Error when they cannot be read */
export function* recordFields(batch: Buffer, bytesMax: number): Generator<Fields> {
  const marker = markerOf(batch);
  const packed = batch.subarray(BATCH_HEADER_BYTES);
  const records = codecOf(attributesOf(batch)).decompress(packed, DECOMPRESSED_BYTES_MAX);
  const rows: Fields[] = [];
  const base = baseOffsetOf(batch);
  const sequence = baseSequenceOf(batch);
  walkRecords(records, recordCountOf(batch), (range) => {
    const cursor = { at: range.keyAt + Math.max(0, range.keyBytes) };
    readVarint(records, cursor);
    const valueAt = cursor.at;
    cursor.at += Math.max(0, range.valueBytes);
    const headers: string[] = [];
    for (let left = readVarint(records, cursor); left > 0; left -= 1) {
      const name = lengthPrefixed(records, cursor, bytesMax);
      headers.push(`${name ?? ''}=${lengthPrefixed(records, cursor, bytesMax) ?? 'null'}`);
    }
    const text = (at: number, bytes: number): string | null =>
      bytes < 0 ? null : printable(records.subarray(at, at + bytes), bytesMax);
    rows.push({
      offset: base + range.offsetDelta,
      [isLogAppendTime(batch) ? 'LogAppendTime' : 'CreateTime']: isLogAppendTime(batch)
        ? maxTimestampOf(batch)
        : baseTimestampOf(batch) + range.timestampDelta,
      keySize: range.keyBytes,
      valueSize: range.valueBytes,
      sequence: sequence < 0 ? -1 : (sequence + range.offsetDelta) % 2 ** 31,
      headers,
      ...(marker
        ? { endTxnMarker: marker.commit ? 'COMMIT' : 'ABORT', coordinatorEpoch: marker.coordinatorEpoch }
        : { key: text(range.keyAt, range.keyBytes), payload: text(valueAt, range.valueBytes) }),
    });
  });
  yield* rows;
}

function lengthPrefixed(bytes: Buffer, cursor: { at: number }, bytesMax: number): string | null {
  const length = readVarint(bytes, cursor);
  if (length < 0) return null;
  const text = printable(bytes.subarray(cursor.at, cursor.at + length), bytesMax);
  cursor.at += length;
  return text;
}

/** UTF-8 as it is, with control characters and what is none of it escaped; cut with its length said. */
export function printable(bytes: Buffer, bytesMax: number): string {
  const shown = bytes.subarray(0, bytesMax);
  const rest = bytes.length > bytesMax ? `… (${bytes.length} bytes)` : '';
  return escaped(shown) + rest;
}

function escaped(bytes: Buffer): string {
  const isText = isUtf8(bytes);
  const text = bytes.toString(isText ? 'utf8' : 'latin1').replaceAll('\\', '\\\\');
  return text.replaceAll(isText ? /\p{Cc}/gu : /\p{Cc}|[\u0080-\u00ff]/gu, inHex);
}

function inHex(character: string): string {
  return `\\x${character.codePointAt(0)!.toString(16).padStart(2, '0')}`;
}

/** `name: value` one behind the other. */
export function formatFields(fields: Fields): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${Array.isArray(value) ? `[${value.join(',')}]` : String(value)}`)
    .join(' ');
}
