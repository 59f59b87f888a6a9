import { isUtf8 } from 'node:buffer';

import type { Writer } from '../../../broker/records/otlp/writer.ts';
import type { AgentMetrics } from '../agent-metrics.ts';
import type { AgentConfig } from '../config.ts';
import { type LineBatch, LineEncoder, type Marks, type Piece } from './line-batch.ts';
import { behind, characterBoundary, createSpans, splitLines } from './lines.ts';
import type { Position } from './positions.ts';

/** The last line's beginning is kept in memory up to this, for the case that the file is truncated under it. */
const KEPT_BYTES_MAX = 64 * 1024;

/** What an encoded record has beyond its line, roughly: times and attributes. */
const RECORD_OVERHEAD_BYTES = 250;

/**
 * From the bytes of one file to records: a record a line, long lines cut, lines without an end in marked pieces.
 *
 * `begin`, then what is to go into the batch, then `finish`. Offsets are of the file.
 */
export class LineRecords {
  /** The beginning of the last line, whose end has not come. */
  kept: Buffer | undefined;
  /** A part of the line was given out: what comes next is its rest. */
  midLine: boolean;
  private readonly config: Pick<AgentConfig, 'tail' | 'batch'>;
  private readonly metrics: AgentMetrics;
  private readonly resource: Buffer;
  private readonly encoder: LineEncoder;
  private readonly spans;
  private lastNs: bigint;

  constructor(
    tools: { config: Pick<AgentConfig, 'tail' | 'batch'>; metrics: AgentMetrics; writer: Writer },
    position: Position,
    resource: Buffer,
  ) {
    this.config = tools.config;
    this.metrics = tools.metrics;
    this.resource = resource;
    this.midLine = position.midLine;
    this.lastNs = position.lastNs;
    this.encoder = new LineEncoder(tools.writer, position.path);
    this.spans = createSpans(tools.config.batch.recordsMax);
  }

  begin(nowNs: bigint): void {
    this.encoder.begin(nowNs, this.lastNs);
  }

  /**
   * The lines of `bytes`, which begin at `start`, as many as a batch takes; returns how far it came. With `final`
   * a last line without an end is a piece. `mayGrow`: something may follow it.
   */
  lines(bytes: Buffer, start: number, final: boolean, mayGrow: boolean): number {
    const { batch, tail } = this.config;
    const { encoder, spans } = this;
    const found = splitLines(bytes, bytes.length, spans);
    let taken = 0;
    let consumed = 0;
    const utf8 = isUtf8(bytes.subarray(0, found === 0 ? 0 : spans.ends[found - 1]!));
    for (; taken < found; taken += 1) {
      const from = spans.starts[taken]!;
      const to = spans.ends[taken]!;
      if (encoder.count > 0 && encoder.bytes + (to - from) + RECORD_OVERHEAD_BYTES > batch.bytesMax) break;
      consumed = behind(bytes, spans, taken);
      if (!this.midLine && to - from <= tail.lineBytesMax) {
        encoder.line(bytes, from, to, utf8, start + from, start + consumed);
      } else this.oddLine(bytes.subarray(from, to), start + from, start + consumed);
    }
    const complete = taken === found && found < batch.recordsMax;
    const rest = bytes.length - consumed;
    this.kept = undefined;
    if (complete && rest > 0) {
      if (final && rest <= tail.lineBytesMax && encoder.count < batch.recordsMax) {
        consumed += this.piece(bytes.subarray(consumed), start + consumed, mayGrow);
      } else if (rest <= KEPT_BYTES_MAX) this.kept = Buffer.from(bytes.subarray(consumed));
    }
    return consumed;
  }

  /** A line beyond the limit, of which `body` is the beginning and `length` all; it may have no end yet. */
  longLine(body: Buffer, length: number, offset: number, next: number, ended: boolean): void {
    const unended: Piece = this.midLine ? 'middle' : 'first';
    this.cutLine(body, length, offset, next, ended ? (this.midLine ? 'last' : undefined) : unended);
    this.midLine = !ended;
  }

  /**
   * The beginning of a line that has no end yet; returns how much of it was given out. While the file may
   * grow, a CR at its end waits for what follows: it may be half of a line end.
   */
  piece(body: Buffer, offset: number, mayGrow: boolean): number {
    const length = mayGrow && body.at(-1) === 0x0d ? body.length - 1 : body.length;
    if (length === 0) return 0;
    const piece: Piece = this.midLine ? 'middle' : 'first';
    this.record(body.subarray(0, length), offset, offset + length, { piece });
    this.metrics.partialLines.add(1);
    this.midLine = true;
    return length;
  }

  /** What was taken since `begin`; the file is read up to `offset` with it. */
  finish(position: Position, offset: number): LineBatch {
    const batch = this.encoder.finish(position, this.resource, offset, this.midLine);
    this.lastNs = batch.lastNs;
    this.metrics.readLines.add(this.encoder.count);
    return batch;
  }

  /** New content begins, under a new position. */
  startOver(): void {
    this.midLine = false;
    this.kept = undefined;
  }

  /** A line beyond the limit, or the rest of one whose beginning was sent: then only its end may be left. */
  private oddLine(body: Buffer, offset: number, next: number): void {
    const piece: Piece | undefined = this.midLine ? 'last' : undefined;
    this.midLine = false;
    if (piece && body.length === 0) return;
    if (body.length <= this.config.tail.lineBytesMax) this.record(body, offset, next, { piece });
    else this.cutLine(body, body.length, offset, next, piece);
  }

  private cutLine(body: Buffer, length: number, offset: number, next: number, piece?: Piece): void {
    const kept = characterBoundary(body, this.config.tail.lineBytesMax);
    this.record(body.subarray(0, kept), offset, next, { piece, cutBytes: length - kept });
    this.metrics.cutLines.add(1);
  }

  private record(body: Buffer, offset: number, next: number, marks: Marks): void {
    this.encoder.line(body, 0, body.length, false, offset, next, marks);
  }
}
