import { isUtf8 } from 'node:buffer';
import { basename } from 'node:path';

import type { Attributes } from '../../../broker/records/otlp/model.ts';
import { Writer } from '../../../broker/records/otlp/writer.ts';
import type { Position } from './positions.ts';

/** Which piece of a line a record is, where the line's end was not there in time. */
export type Piece = 'first' | 'middle' | 'last';

/** Records of one file, in order, ready to be sent: one request, or several when the collector wants less. */
export interface LineBatch {
  readonly position: Position;
  /** The Resource as field 1, encoded. */
  readonly resource: Buffer;
  /** LogRecords as field 2, one behind the other. */
  readonly records: Buffer;
  /** Where each record ends in `records`. */
  readonly ends: readonly number[];
  /** Where each record's line ends in the file: what may be acknowledged with it. */
  readonly offsets: readonly number[];
  /** What the file's position becomes when all of it is acknowledged. */
  readonly offset: number;
  readonly midLine: boolean;
  readonly lastNs: bigint;
}

const TIME = 1;
const BODY = 5;
const ATTRIBUTES = 6;
const OBSERVED_TIME = 11;

/** Bytes of a fixed64 field with its tag. */
const TIME_BYTES = 9;

/** A varint of a number up to 2^53 - 1 takes one to eight bytes. */
const VARINT_BYTES_MAX = 8;

/** What makes a record more than a line. */
export interface Marks {
  readonly piece?: Piece | undefined;
  readonly cutBytes?: number;
}

/**
 * Encodes lines as OTLP LogRecords. One for each file, since the attributes that name the file are encoded
 * once; the writer behind it is shared and used again for every batch.
 */
export class LineEncoder {
  private readonly writer: Writer;
  /** All attributes up to the value of the record offset, by the size of that value's varint. */
  private readonly attributes: readonly Buffer[];
  private ends: number[] = [];
  private offsets: number[] = [];
  private lastNs = 0n;
  private low = 0;
  private high = 0;

  constructor(writer: Writer, path: string) {
    this.writer = writer;
    this.attributes = Array.from({ length: VARINT_BYTES_MAX + 1 }, (_, size) => attributesFor(path, size));
  }

  get count(): number {
    return this.ends.length;
  }

  get bytes(): number {
    return this.writer.length;
  }

  /** Starts a batch whose times follow `lastNs` and are not before `nowNs`. */
  begin(nowNs: bigint, lastNs: bigint): void {
    this.writer.reset();
    this.ends = [];
    this.offsets = [];
    this.lastNs = nowNs > lastNs ? nowNs - 1n : lastNs;
    this.low = Number(this.lastNs & 0xffff_ffffn);
    this.high = Number(this.lastNs >> 32n);
  }

  /**
   * A record for the line `source[from, to)` that starts at `offset` in the file and is over, line end
   * included, at `next`. `utf8`: the bytes are known to be valid. Hot: all lengths are known beforehand, so
   * that nothing is moved afterwards.
   */
  line(
    source: Buffer,
    from: number,
    to: number,
    utf8: boolean,
    offset: number,
    next: number,
    marks?: Marks,
  ): void {
    const { writer } = this;
    this.tick();
    const length = to - from;
    const bodyBytes = 1 + varintSize(length) + length;
    const offsetBytes = varintSize(offset);
    const attributes = this.attributes[offsetBytes]!;
    const more = marks ? marksOf(marks) : undefined;
    writer.prefix(
      2,
      2 * TIME_BYTES +
        1 +
        varintSize(bodyBytes) +
        bodyBytes +
        attributes.length +
        offsetBytes +
        (more?.length ?? 0),
    );
    writer.fixed64Halves(TIME, this.low, this.high);
    writer.prefix(BODY, bodyBytes);
    writer.prefix(utf8 || isUtf8(source.subarray(from, to)) ? 1 : 7, length);
    writer.appendFrom(source, from, to);
    writer.append(attributes);
    writer.varint53(offset);
    if (more) writer.append(more);
    writer.fixed64Halves(OBSERVED_TIME, this.low, this.high);
    this.ends.push(writer.length);
    this.offsets.push(next);
  }

  finish(position: Position, resource: Buffer, offset: number, midLine: boolean): LineBatch {
    const { ends, offsets } = this;
    const lastNs = (BigInt(this.high) << 32n) | BigInt(this.low);
    return { position, resource, records: this.writer.finish(), ends, offsets, offset, midLine, lastNs };
  }

  private tick(): void {
    this.low = (this.low + 1) >>> 0;
    if (this.low === 0) this.high += 1;
  }
}

/** A file's resource as it stands in every request. */
export function encodeResource(attributes: Attributes): Buffer {
  const writer = new Writer();
  const start = writer.begin(1);
  writer.attributes(1, attributes);
  writer.end(start);
  return writer.finish();
}

/**
 * The request for the records `[from, to)` of a batch, in pieces that need not be joined: an
 * ExportLogsServiceRequest of one ResourceLogs with one ScopeLogs.
 */
export function requestPieces(batch: LineBatch, from: number, to: number): readonly Buffer[] {
  const { records, ends, resource } = batch;
  const part = records.subarray(from === 0 ? 0 : ends[from - 1], ends[to - 1]);
  const scope = new Writer();
  scope.prefix(2, part.length);
  const envelope = new Writer();
  envelope.prefix(1, resource.length + scope.length + part.length);
  envelope.append(resource);
  envelope.append(scope.finish());
  return [envelope.finish(), part];
}

function attributesFor(path: string, offsetBytes: number): Buffer {
  const writer = new Writer();
  writer.keyValue(ATTRIBUTES, 'log.file.name', basename(path));
  writer.keyValue(ATTRIBUTES, 'log.file.path', path);
  const key = 'log.file.record_offset';
  // KeyValue { key = 1, value = 2: AnyValue { int_value = 3 } }, up to the integer's tag.
  const intBytes = 1 + offsetBytes;
  writer.prefix(ATTRIBUTES, 2 + key.length + 2 + intBytes);
  writer.text(1, key);
  writer.prefix(2, intBytes);
  writer.append(Buffer.of(3 * 8));
  return writer.finish();
}

function marksOf({ piece, cutBytes = 0 }: Marks): Buffer {
  const writer = new Writer();
  if (piece) writer.keyValue(ATTRIBUTES, 'log.file.partial', piece);
  if (cutBytes > 0) writer.keyValue(ATTRIBUTES, 'log.file.cut_bytes', cutBytes);
  return writer.finish();
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) size += 1;
  return size;
}
