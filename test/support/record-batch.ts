import { crc32c } from '../../broker/log/batch/crc32c.ts';
import { codecOf, CODECS, type CodecName } from '../../broker/records/codecs.ts';

export interface BatchPlan {
  /** One record each. */
  readonly values: readonly string[];
  readonly baseTimestamp?: number;
  /** Added to the base timestamp, per record; default: the record's index. */
  readonly timestampDeltas?: readonly number[];
  readonly codec?: CodecName;
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  /** More bits for the attributes. */
  readonly attributes?: number;
}

/** A record batch of format v2 as a client would send it, made independently of the code that reads it. */
export function recordBatch(plan: BatchPlan): Buffer {
  const codec = CODECS.find((one) => one.name === (plan.codec ?? 'none'))!;
  const baseTimestamp = plan.baseTimestamp ?? 1_700_000_000_000;
  const deltas = plan.timestampDeltas ?? plan.values.map((_, i) => i);
  const records = plan.values.map((value, i) => record(value, i, deltas[i]!));
  const payload = codec.compress(Buffer.concat(records));
  const batch = Buffer.alloc(61 + payload.length);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(-1, 12);
  batch[16] = 2;
  batch.writeInt16BE(codec.id | (plan.attributes ?? 0), 21);
  batch.writeInt32BE(plan.values.length - 1, 23);
  batch.writeBigInt64BE(BigInt(baseTimestamp), 27);
  batch.writeBigInt64BE(BigInt(baseTimestamp + Math.max(...deltas)), 35);
  batch.writeBigInt64BE(BigInt(plan.producerId ?? -1), 43);
  batch.writeInt16BE(plan.producerEpoch ?? -1, 51);
  batch.writeInt32BE(plan.baseSequence ?? -1, 53);
  batch.writeInt32BE(plan.values.length, 57);
  payload.copy(batch, 61);
  batch.writeUInt32BE(crc32c(batch, 21), 17);
  return batch;
}

/** The marker that a batch is, undefined for data; read independently of the code that writes it. */
export function markerIn(batch: Buffer): 'commit' | 'abort' | undefined {
  if ((batch.readInt16BE(21) & 0x20) === 0) return undefined;
  // Behind the header: length, attributes, two deltas and the key's length, a byte each; then the key's version.
  return batch.readInt16BE(61 + 5 + 2) === 1 ? 'commit' : 'abort';
}

/** The batches in a read's answer: base offset, and the values of the records. */
export function readBatches(bytes: Buffer): Array<{ baseOffset: number; values: string[] }> {
  const batches: Array<{ baseOffset: number; values: string[] }> = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 12 + bytes.readInt32BE(at + 8);
    const values = readRecords(bytes.subarray(at, end)).map(({ value }) => value);
    batches.push({ baseOffset: Number(bytes.readBigInt64BE(at)), values });
    at = end;
  }
  return batches;
}

/** The records of one batch; their offsets need not follow each other once it was compacted. */
export function readRecords(batch: Buffer): Array<{ offset: number; value: string }> {
  const baseOffset = Number(batch.readBigInt64BE(0));
  const records = codecOf(batch.readInt16BE(21)).decompress(batch.subarray(61), 100_000_000);
  const read: Array<{ offset: number; value: string }> = [];
  const cursor = { at: 0 };
  while (cursor.at < records.length) {
    const recordEnd = varint(records, cursor) + cursor.at;
    cursor.at += 1;
    varint(records, cursor);
    const offset = baseOffset + varint(records, cursor);
    const keyBytes = Math.max(0, varint(records, cursor));
    cursor.at += keyBytes;
    const length = varint(records, cursor);
    read.push({ offset, value: records.toString('utf8', cursor.at, cursor.at + length) });
    cursor.at = recordEnd;
  }
  return read;
}

function record(value: string, offsetDelta: number, timestampDelta: number): Buffer {
  const bytes = Buffer.from(value);
  const body = [0, ...zigzag(timestampDelta), ...zigzag(offsetDelta), ...zigzag(-1), ...zigzag(bytes.length)];
  const length = body.length + bytes.length + 1;
  return Buffer.concat([Buffer.from([...zigzag(length), ...body]), bytes, Buffer.from([0])]);
}

function zigzag(value: number): number[] {
  const bytes: number[] = [];
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return bytes;
}

function varint(bytes: Buffer, cursor: { at: number }): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[cursor.at++]!;
    value += (byte & 127) * scale;
    if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}
