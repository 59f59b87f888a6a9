/** Reads RowBinary by column types, independently of what writes it: rows as objects, 64-bit numbers as bigint. */
export function readRowBinary(
  bytes: Buffer,
  columns: ReadonlyArray<readonly [name: string, type: string]>,
): Array<Record<string, unknown>> {
  const rows: Array<Record<string, unknown>> = [];
  const cursor = { at: 0 };
  while (cursor.at < bytes.length) {
    const row: Record<string, unknown> = {};
    for (const [name, type] of columns) row[name] = readValue(bytes, cursor, type);
    rows.push(row);
  }
  return rows;
}

function readValue(bytes: Buffer, cursor: { at: number }, type: string): unknown {
  const inner = /^(Array|LowCardinality)\((.*)\)$/.exec(type);
  if (inner?.[1] === 'LowCardinality') return readValue(bytes, cursor, inner[2]!);
  if (inner)
    return Array.from({ length: readLength(bytes, cursor) }, () => readValue(bytes, cursor, inner[2]!));
  if (type.startsWith('Map(')) {
    const pairs = Array.from({ length: readLength(bytes, cursor) }, () => [
      readValue(bytes, cursor, 'String') as string,
      readValue(bytes, cursor, 'String'),
    ]);
    return Object.fromEntries(pairs);
  }
  if (type === 'String') {
    const length = readLength(bytes, cursor);
    cursor.at += length;
    return bytes.toString('utf8', cursor.at - length, cursor.at);
  }
  const fixed = FIXED[type];
  if (!fixed) throw new Error(`cannot read RowBinary of type ${type}`);
  cursor.at += fixed.bytes;
  return fixed.read(bytes, cursor.at - fixed.bytes);
}

const FIXED: Readonly<Record<string, { bytes: number; read: (bytes: Buffer, at: number) => unknown }>> = {
  UInt8: { bytes: 1, read: (bytes, at) => bytes.readUInt8(at) },
  Bool: { bytes: 1, read: (bytes, at) => bytes.readUInt8(at) === 1 },
  UInt32: { bytes: 4, read: (bytes, at) => bytes.readUInt32LE(at) },
  DateTime: { bytes: 4, read: (bytes, at) => bytes.readUInt32LE(at) },
  Int32: { bytes: 4, read: (bytes, at) => bytes.readInt32LE(at) },
  Int64: { bytes: 8, read: (bytes, at) => bytes.readBigInt64LE(at) },
  UInt64: { bytes: 8, read: (bytes, at) => bytes.readBigUInt64LE(at) },
  'DateTime64(9)': { bytes: 8, read: (bytes, at) => bytes.readBigInt64LE(at) },
  Float64: { bytes: 8, read: (bytes, at) => bytes.readDoubleLE(at) },
};

function readLength(bytes: Buffer, cursor: { at: number }): number {
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes.readUInt8(cursor.at);
    cursor.at += 1;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return length;
  }
}
