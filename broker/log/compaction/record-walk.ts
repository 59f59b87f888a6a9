/**
 * The records of a batch as ranges of bytes: nothing is copied, nothing becomes an object that outlives the visit.
 *
 *     record = length:varint attributes:i8 timestampDelta:varlong offsetDelta:varint
 *              key:varint-bytes value:varint-bytes headers
 */
export interface RecordRange {
  /** Of the whole record, its length in front included. */
  start: number;
  end: number;
  timestampDelta: number;
  /** Where the timestamp's delta begins and ends. */
  timestampAt: number;
  timestampEnd: number;
  offsetDelta: number;
  /** Length -1: null. */
  keyAt: number;
  keyBytes: number;
  valueBytes: number;
}

/** Calls `visit` with the same object for every record. @throws Error when the bytes are no `count` records */
export function walkRecords(records: Buffer, count: number, visit: (range: RecordRange) => void): void {
  const cursor = { at: 0 };
  const range: RecordRange = {
    start: 0,
    end: 0,
    timestampDelta: 0,
    timestampAt: 0,
    timestampEnd: 0,
    offsetDelta: 0,
    keyAt: 0,
    keyBytes: -1,
    valueBytes: -1,
  };
  for (let i = 0; i < count; i += 1) {
    range.start = cursor.at;
    const length = readVarint(records, cursor);
    range.end = cursor.at + length;
    if (length < 1 || range.end > records.length) throw malformed(i, length);
    range.timestampAt = cursor.at + 1;
    cursor.at = range.timestampAt;
    range.timestampDelta = readVarint(records, cursor);
    range.timestampEnd = cursor.at;
    range.offsetDelta = readVarint(records, cursor);
    range.keyBytes = readVarint(records, cursor);
    range.keyAt = cursor.at;
    if (range.keyBytes > 0) cursor.at += range.keyBytes;
    range.valueBytes = readVarint(records, cursor);
    if (cursor.at + Math.max(0, range.valueBytes) > range.end) throw malformed(i, length);
    visit(range);
    cursor.at = range.end;
  }
}

function malformed(index: number, length: number): Error {
  return new Error(`cannot read record ${index}: got a length of ${length}`);
}

/** Zig-zag, up to 64 bits, as a number. */
function readVarint(bytes: Buffer, cursor: { at: number }): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[cursor.at++];
    if (byte === undefined || scale > 2 ** 63)
      throw new Error(`cannot read a varint: got no end at ${cursor.at}`);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

export function writeVarint(into: number[], value: number): void {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1;
  while (rest >= 0x80) {
    into.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  into.push(rest);
}
