import { isUtf8 } from 'node:buffer';
import { basename } from 'node:path';

import type { ResourceToWrite } from '../../../broker/records/otlp/write-logs.ts';
import { writeGroup } from '../../../broker/records/otlp/write-logs.ts';
import { Writer } from '../../../broker/records/otlp/writer.ts';
import type { Position } from './positions.ts';

/** Which piece of a line a record is, where the line's end was not there in time. */
export type Piece = 'first' | 'middle' | 'last';

/** Records of one file, in order, ready to be sent: one request, or several when the collector wants less. */
export interface LineBatch {
  readonly position: Position;
  readonly resource: ResourceToWrite;
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

/**
 * Encodes lines as OTLP LogRecords. One for each file, since the attributes that name the file are encoded
 * once; its buffer is used again for every batch.
 */
export class LineEncoder {
  private readonly writer: Writer;
  private readonly names: Buffer;
  private ends: number[] = [];
  private offsets: number[] = [];
  private lastNs = 0n;

  constructor(writer: Writer, path: string) {
    this.writer = writer;
    const names = new Writer();
    names.keyValue(ATTRIBUTES, 'log.file.name', basename(path));
    names.keyValue(ATTRIBUTES, 'log.file.path', path);
    this.names = names.finish();
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
  }

  /**
   * A record for the line that starts at `offset` in the file and is over (line end included) at `next`.
   * `utf8`: the bytes are known to be valid.
   */
  line(body: Uint8Array, utf8: boolean, offset: number, next: number, piece?: Piece, cutBytes = 0): void {
    const { writer } = this;
    this.lastNs += 1n;
    const start = writer.begin(2);
    writer.fixed64(TIME, this.lastNs);
    const any = writer.begin(BODY);
    writer.raw(utf8 || isUtf8(body) ? 1 : 7, body);
    writer.end(any);
    writer.append(this.names);
    writer.keyValue(ATTRIBUTES, 'log.file.record_offset', offset);
    if (piece) writer.keyValue(ATTRIBUTES, 'log.file.partial', piece);
    if (cutBytes > 0) writer.keyValue(ATTRIBUTES, 'log.file.cut_bytes', cutBytes);
    writer.fixed64(OBSERVED_TIME, this.lastNs);
    writer.end(start);
    this.ends.push(writer.length);
    this.offsets.push(next);
  }

  finish(position: Position, resource: ResourceToWrite, offset: number, midLine: boolean): LineBatch {
    const { ends, offsets, lastNs } = this;
    return { position, resource, records: this.writer.finish(), ends, offsets, offset, midLine, lastNs };
  }
}

/** The request body for the records `[from, to)` of a batch. */
export function requestBody(batch: LineBatch, from: number, to: number): Buffer {
  const { records, ends, resource } = batch;
  const writer = new Writer();
  writeGroup(writer, resource, undefined, () => {
    writer.append(records.subarray(from === 0 ? 0 : ends[from - 1], ends[to - 1]));
  });
  return writer.finish();
}
