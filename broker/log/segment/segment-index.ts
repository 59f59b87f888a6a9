import { NumberList } from './number-list.ts';

/**
 * The two sparse indexes of a segment, in Kafka's formats (big-endian):
 *
 *     .index      relative last offset of a batch u32 | position of that batch u32
 *     .timeindex  largest timestamp so far i64 | relative last offset of the batch that has it u32
 *
 * An entry every 4,096 bytes of log. They speed searches up and prove nothing: what they say is checked against
 * the segment, and they are rebuilt from it when they are absent, damaged or behind.
 */
export const INDEX_INTERVAL_BYTES = 4096;
const OFFSET_ENTRY_BYTES = 8;
const TIME_ENTRY_BYTES = 12;

export class SegmentIndex {
  /** Relative last offset, position. */
  readonly offsets = new NumberList(2);
  /** Largest timestamp so far, relative last offset. */
  readonly times = new NumberList(2);
  readonly base: number;
  maxTimestamp = -1;
  /** Last offset of the batch that has it. */
  maxTimestampOffset = -1;
  /** Bytes of the segment that the index knows. */
  coveredBytes = 0;
  #sinceEntryBytes = 0;

  constructor(base: number) {
    this.base = base;
  }

  /** Takes note of the batch at `position`, which follows what is covered. */
  add(lastOffset: number, maxTimestamp: number, position: number, bytes: number): void {
    if (maxTimestamp > this.maxTimestamp) {
      this.maxTimestamp = maxTimestamp;
      this.maxTimestampOffset = lastOffset;
    }
    if (this.#sinceEntryBytes > INDEX_INTERVAL_BYTES) {
      this.offsets.push(lastOffset - this.base, position);
      this.addTime();
      this.#sinceEntryBytes = 0;
    }
    this.#sinceEntryBytes += bytes;
    this.coveredBytes = position + bytes;
  }

  /** An entry for the largest timestamp so far, unless there is one: also when the segment is sealed. */
  addTime(): void {
    const last = this.times.length - 1;
    if (this.maxTimestamp < 0 || (last >= 0 && this.times.at(last, 0) >= this.maxTimestamp)) return;
    this.times.push(this.maxTimestamp, this.maxTimestampOffset - this.base);
  }

  /** Where to start looking for `offset`. */
  positionFor(offset: number): { position: number; lastOffset: number | undefined } {
    const row = this.offsets.lastAtMost(0, offset - this.base);
    if (row === -1) return { position: 0, lastOffset: undefined };
    return { position: this.offsets.at(row, 1), lastOffset: this.base + this.offsets.at(row, 0) };
  }

  /** The first indexed batch behind `position`; undefined when there is none. */
  entryAfter(position: number): { position: number; lastOffset: number } | undefined {
    const row = this.offsets.lastAtMost(1, position) + 1;
    if (row >= this.offsets.length) return undefined;
    return { position: this.offsets.at(row, 1), lastOffset: this.base + this.offsets.at(row, 0) };
  }

  /** Every record up to the returned offset is older than `timestampMs`. */
  offsetBefore(timestampMs: number): number {
    const row = this.times.lastAtMost(0, timestampMs - 1);
    return row === -1 ? this.base : this.base + this.times.at(row, 1) + 1;
  }

  encodeOffsets(): Buffer {
    const bytes = Buffer.allocUnsafe(this.offsets.length * OFFSET_ENTRY_BYTES);
    for (let row = 0; row < this.offsets.length; row++) {
      bytes.writeUInt32BE(this.offsets.at(row, 0), row * OFFSET_ENTRY_BYTES);
      bytes.writeUInt32BE(this.offsets.at(row, 1), row * OFFSET_ENTRY_BYTES + 4);
    }
    return bytes;
  }

  encodeTimes(): Buffer {
    const bytes = Buffer.allocUnsafe(this.times.length * TIME_ENTRY_BYTES);
    for (let row = 0; row < this.times.length; row++) {
      bytes.writeBigInt64BE(BigInt(this.times.at(row, 0)), row * TIME_ENTRY_BYTES);
      bytes.writeUInt32BE(this.times.at(row, 1), row * TIME_ENTRY_BYTES + 8);
    }
    return bytes;
  }
}

/**
 * The index that two files hold, as far as they can be right: undefined when they cannot. The segment behind
 * the last entry is not covered yet.
 */
export function decodeIndex(
  base: number,
  segmentBytes: number,
  offsets: Buffer | undefined,
  times: Buffer | undefined,
): SegmentIndex | undefined {
  if (!offsets || !times) return undefined;
  if (offsets.length % OFFSET_ENTRY_BYTES !== 0 || times.length % TIME_ENTRY_BYTES !== 0) return undefined;
  const index = new SegmentIndex(base);
  let offset = -1;
  let position = 0;
  for (let at = 0; at < offsets.length; at += OFFSET_ENTRY_BYTES) {
    if (offsets.readUInt32BE(at) <= offset || offsets.readUInt32BE(at + 4) <= position) return undefined;
    offset = offsets.readUInt32BE(at);
    position = offsets.readUInt32BE(at + 4);
    index.offsets.push(offset, position);
  }
  if (position >= segmentBytes && offsets.length > 0) return undefined;
  for (let at = 0; at < times.length; at += TIME_ENTRY_BYTES) {
    const timestamp = Number(times.readBigInt64BE(at));
    const relative = times.readUInt32BE(at + 8);
    if (timestamp <= index.maxTimestamp || base + relative <= index.maxTimestampOffset) return undefined;
    index.maxTimestamp = timestamp;
    index.maxTimestampOffset = base + relative;
    index.times.push(timestamp, relative);
  }
  index.coveredBytes = position;
  return index;
}
