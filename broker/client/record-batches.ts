import {
  attributesOf,
  BATCH_HEADER_BYTES,
  baseOffsetOf,
  baseTimestampOf,
  batchSizeOf,
  crcHolds,
  isLogAppendTime,
  lastOffsetOf,
  magicOf,
  maxTimestampOf,
  producerIdOf,
  recordCountOf,
} from '../log/batch/batch-header.ts';
import { codecOf, DECOMPRESSED_BYTES_MAX } from '../records/codecs.ts';
import { KafkaError } from './error.ts';
import type { ConsumedRecord } from './port.ts';

const CONTROL = 0x20;
const TRANSACTIONAL = 0x10;

export interface DecodedBatches {
  readonly records: ConsumedRecord[];
  /** Where the next fetch starts: after the last whole batch, whatever was left out of it. */
  readonly nextOffset: number;
}

/**
 * The records at or above `fromOffset` in a fetch answer: whole record batches (format v2), the last one perhaps
 * cut. Control batches are left out, and transactional ones of the producers in `aborted`.
 * @throws KafkaError CORRUPT_MESSAGE
 */
export function decodeBatches(
  bytes: Buffer,
  fromOffset: number,
  aborted: ReadonlyArray<{ producerId: number; firstOffset: number }> = [],
): DecodedBatches {
  const records: ConsumedRecord[] = [];
  const waiting = aborted.toSorted((left, right) => left.firstOffset - right.firstOffset);
  const abortedNow = new Set<number>();
  let nextOffset = fromOffset;
  for (let at = 0; at + BATCH_HEADER_BYTES <= bytes.length;) {
    const size = batchSizeOf(bytes, at);
    if (size < BATCH_HEADER_BYTES || magicOf(bytes, at) !== 2)
      throw corrupt(bytes, at, 'not a batch of format 2');
    if (at + size > bytes.length) break;
    if (!crcHolds(bytes, at, at + size)) throw corrupt(bytes, at, 'a wrong CRC');
    const attributes = attributesOf(bytes, at);
    while (waiting.length > 0 && waiting[0]!.firstOffset <= lastOffsetOf(bytes, at)) {
      abortedNow.add(waiting.shift()!.producerId);
    }
    const producerId = producerIdOf(bytes, at);
    if ((attributes & CONTROL) !== 0) {
      // The marker ends the transaction; what this producer writes next is judged anew.
      abortedNow.delete(producerId);
    } else if ((attributes & TRANSACTIONAL) === 0 || !abortedNow.has(producerId)) {
      decodeRecords(bytes, at, size, fromOffset, records);
    }
    nextOffset = Math.max(nextOffset, lastOffsetOf(bytes, at) + 1);
    at += size;
  }
  return { records, nextOffset };
}

function decodeRecords(bytes: Buffer, at: number, size: number, from: number, into: ConsumedRecord[]): void {
  const codec = codecOf(attributesOf(bytes, at));
  const packed = bytes.subarray(at + BATCH_HEADER_BYTES, at + size);
  const plain = codec.id === 0 ? packed : codec.decompress(packed, DECOMPRESSED_BYTES_MAX);
  const cursor = new RecordCursor(plain, () => corrupt(bytes, at, 'a record that ends too early'));
  const baseOffset = baseOffsetOf(bytes, at);
  const baseTimestamp = baseTimestampOf(bytes, at);
  const appendTime = isLogAppendTime(bytes, at) ? maxTimestampOf(bytes, at) : undefined;
  for (let left = recordCountOf(bytes, at); left > 0; left -= 1) {
    const length = cursor.varint();
    const end = cursor.at + length;
    cursor.skip(1);
    const timestampMs = appendTime ?? baseTimestamp + cursor.varint();
    const offset = baseOffset + cursor.varint();
    const key = cursor.bytes();
    const value = cursor.bytes();
    const headers: Record<string, Buffer> = {};
    for (let count = cursor.varint(); count > 0; count -= 1) {
      const name = cursor.bytes()?.toString() ?? '';
      headers[name] = cursor.bytes() ?? Buffer.alloc(0);
    }
    if (cursor.at !== end) throw corrupt(bytes, at, 'a record with a wrong length');
    if (offset >= from) into.push({ offset, timestampMs, key, value, headers });
  }
}

/** Zigzag varints and byte strings of the record format. */
class RecordCursor {
  at = 0;
  private readonly source: Buffer;
  private readonly tooShort: () => KafkaError;

  constructor(source: Buffer, tooShort: () => KafkaError) {
    this.source = source;
    this.tooShort = tooShort;
  }

  varint(): number {
    let value = 0;
    let factor = 1;
    for (;;) {
      const byte = this.source[this.at++];
      if (byte === undefined || factor > 2 ** 63) throw this.tooShort();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      factor *= 128;
    }
  }

  skip(length: number): void {
    this.at += length;
  }

  bytes(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    if (this.at + length > this.source.length) throw this.tooShort();
    const view = this.source.subarray(this.at, this.at + length);
    this.at += length;
    return view;
  }
}

function corrupt(bytes: Buffer, at: number, what: string): KafkaError {
  const offset = at + 8 <= bytes.length ? baseOffsetOf(bytes, at) : -1;
  return new KafkaError('CORRUPT_MESSAGE', `cannot read the batch at offset ${offset}: got ${what}`, false);
}
