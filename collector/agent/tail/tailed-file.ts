import type { FileHandle } from '../../../broker/host/files.ts';
import type { Host } from '../../../broker/host/host.ts';
import type { Writer } from '../../../broker/records/otlp/writer.ts';
import type { AgentConfig } from '../config.ts';
import type { AgentMetrics } from '../agent-metrics.ts';
import type { FoundFile } from './find-files.ts';
import { continues, digestOf, HEAD_BYTES_MAX, readHead } from './head.ts';
import type { LineBatch } from './line-batch.ts';
import { LineRecords } from './line-records.ts';
import type { Position, Positions } from './positions.ts';

/** One read. Longer lines take a larger buffer of their own. */
const CHUNK_BYTES = 256 * 1024;

/** Shared by all files of one tail: only one of them encodes at a time. */
export interface Tools {
  readonly host: Host;
  readonly config: Pick<AgentConfig, 'files' | 'tail' | 'batch'>;
  readonly metrics: AgentMetrics;
  readonly positions: Positions;
  readonly writer: Writer;
  /** Buffers of `CHUNK_BYTES` that are not in use. */
  readonly chunks: Buffer[];
}

/** `open`: at its path. `moved`: renamed or removed, read to its end. `closed`: done. */
export type FileState = 'open' | 'moved' | 'closed';

/**
 * One file under its handle, from the first byte that is not acknowledged to its end.
 *
 * Nothing is kept between two reads but offsets: an incomplete last line is read again when the file has
 * grown. `next()` gives batches in order; the caller sends one at a time and acknowledges into the position.
 */
export class TailedFile {
  /** Where it is now; `position.path` is where it was first seen. */
  path: string;
  state: FileState = 'open';
  /** There may be something to read. */
  pending = false;
  position: Position;
  /** As last seen. */
  size = 0;
  /** When it last grew, or was found to have moved, ms (monotonic). */
  changedMs: number;
  private readonly tools: Tools;
  private readonly handle: FileHandle;
  private readonly records: LineRecords;
  private modifiedMs = 0;
  private head: Buffer;
  /** Read and handed out as a batch up to here: always the start of a line or of a line's rest. */
  private offset: number;
  /** In a line longer than the limit: searched for its end up to here. */
  private searched: number | undefined;

  constructor(tools: Tools, handle: FileHandle, head: Buffer, position: Position, resource: Buffer) {
    this.tools = tools;
    this.handle = handle;
    this.head = head;
    this.position = position;
    this.path = position.path;
    this.offset = position.offset;
    this.changedMs = tools.host.clock.monotonicMs();
    this.records = new LineRecords(tools, position, resource);
  }

  /** Bytes that were seen and not yet handed out. */
  get unreadBytes(): number {
    return Math.max(this.size - this.offset, 0);
  }

  isSame(found: Pick<FoundFile, 'device' | 'inode'>): boolean {
    return found.device === this.position.device && found.inode === this.position.inode;
  }

  /** Notes what a look at the file gave; true when there is something to read. */
  noticed(size: number, modifiedMs: number): boolean {
    if (size === this.size && modifiedMs === this.modifiedMs) return false;
    this.modifiedMs = modifiedMs;
    this.changedMs = this.tools.host.clock.monotonicMs();
    // After a smaller size the old one stays: `next` finds out what happened and counts what was lost.
    if (size > this.size) this.size = size;
    return true;
  }

  /** Looks at the open file itself: the path may name another one by now. */
  async look(): Promise<boolean> {
    const { size, modifiedMs } = await this.handle.stat();
    return this.noticed(size, modifiedMs);
  }

  /** It is no longer at its path: renamed or removed. */
  moved(): void {
    this.state = 'moved';
    this.changedMs = this.tools.host.clock.monotonicMs();
  }

  foundAt(path: string): void {
    this.state = 'open';
    this.path = path;
  }

  /** Nothing happened to it for this long. */
  quietMs(): number {
    return this.tools.host.clock.monotonicMs() - this.changedMs;
  }

  /**
   * The next records, or undefined when there are none yet. With `final`, a last line without an end is given
   * out too, marked as a piece.
   */
  async next(final = false): Promise<LineBatch | undefined> {
    const { chunks } = this.tools;
    const chunk = chunks.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
    try {
      return await this.read(chunk, final);
    } finally {
      chunks.push(chunk);
    }
  }

  async close(): Promise<void> {
    this.state = 'closed';
    await this.handle.close();
  }

  private async read(chunk: Buffer, final: boolean): Promise<LineBatch | undefined> {
    const { lineBytesMax } = this.tools.config.tail;
    const seen = this.size;
    this.size = (await this.handle.stat()).size;
    if (this.size < this.offset || this.size < this.head.length) return this.startOver(chunk, seen, final);
    if (this.searched !== undefined) return this.readLongLine(chunk, this.searched, final);
    const unread = this.size - this.offset;
    let bytes = chunk;
    let wanted = Math.min(chunk.length, unread);
    for (;;) {
      const got = await this.handle.read(bytes.subarray(0, wanted), this.offset);
      const head = this.offset === 0 ? bytes.subarray(0, Math.min(got, HEAD_BYTES_MAX)) : undefined;
      if (!this.isStillTheSame(head ?? (await readHead(this.handle))))
        return this.startOver(chunk, seen, final);
      const batch = this.encode(bytes.subarray(0, got), final && got === unread);
      if (batch) return batch;
      // No line end in it: the beginning of a line, a longer one than one read, or one beyond the limit.
      if (wanted > lineBytesMax && (wanted < unread || final)) {
        return this.readLongLine(chunk, this.offset + wanted, final);
      }
      if (wanted === unread) return undefined;
      wanted = Math.min(lineBytesMax + 2, unread);
      bytes = Buffer.allocUnsafeSlow(wanted);
    }
  }

  /**
   * Checked behind each read, so that bytes of new content are never taken for the old: the beginning must be
   * what it was. (New content that begins with the same bytes and is longer cannot be told apart.)
   */
  private isStillTheSame(head: Buffer): boolean {
    if (!continues(head, this.head)) return false;
    if (head.length > this.head.length) {
      this.head = Buffer.from(head);
      this.position.head = digestOf(head);
    }
    return true;
  }

  private encode(bytes: Buffer, final: boolean): LineBatch | undefined {
    this.records.begin(this.tools.host.clock.nowNs());
    const consumed = this.records.lines(bytes, this.offset, final, this.state === 'open');
    return consumed === 0 ? undefined : this.handOut(consumed);
  }

  /** A line longer than the limit: finds its end without keeping it, then sends its beginning. */
  private async readLongLine(chunk: Buffer, from: number, final: boolean): Promise<LineBatch | undefined> {
    let searched = from;
    let end = -1;
    while (end === -1 && searched < this.size) {
      const wanted = Math.min(chunk.length, this.size - searched);
      const got = await this.handle.read(chunk.subarray(0, wanted), searched);
      if (!this.isStillTheSame(await readHead(this.handle))) return this.startOver(chunk, this.size, final);
      if (got === 0) break;
      const at = chunk.subarray(0, got).indexOf(0x0a);
      if (at !== -1) end = searched + at;
      searched += got;
    }
    const ended = end !== -1;
    this.searched = ended || final ? undefined : searched;
    if (!ended && !final) return undefined;
    const start = this.offset;
    const body = Buffer.allocUnsafeSlow(this.tools.config.tail.lineBytesMax + 1);
    await this.handle.read(body, start);
    const before = Buffer.alloc(1);
    if (ended) await this.handle.read(before, end - 1);
    const length = (ended ? end : searched) - start - (before[0] === 0x0d ? 1 : 0);
    const next = ended ? end + 1 : searched;
    this.records.begin(this.tools.host.clock.nowNs());
    this.records.longLine(body, length, start, next, ended);
    return this.handOut(next - start);
  }

  private handOut(consumed: number): LineBatch {
    this.offset += consumed;
    const batch = this.records.finish(this.position, this.offset);
    this.tools.metrics.readBytes.add(consumed);
    return batch;
  }

  /**
   * The content was replaced (truncated, or overwritten from its start): what was read of the last line is
   * sent as a piece, what nobody read is counted, and the file begins again under a new source.
   */
  private async startOver(chunk: Buffer, seen: number, final: boolean): Promise<LineBatch | undefined> {
    const { host, metrics, positions } = this.tools;
    const { kept } = this.records;
    const lostBytes = Math.max(seen - this.offset - (kept?.length ?? 0), 0);
    metrics.truncations.add(1);
    metrics.lostBytes.add(lostBytes, { reason: 'truncated' });
    host.log.info({ path: this.path, lostBytes }, 'the file was truncated: reading it from its beginning');
    let last: LineBatch | undefined;
    if (kept && kept.length > 0) {
      this.records.begin(host.clock.nowNs());
      this.records.piece(kept, this.offset, false);
      last = this.handOut(kept.length);
    }
    positions.remove(this.position);
    const { path, device, inode, bornMs } = this.position;
    const stat = await this.handle.stat();
    const head = digestOf(Buffer.alloc(0));
    const truncatedMs = stat.modifiedMs;
    this.position = positions.create({ path, device, inode, bornMs, truncatedMs, head });
    this.position.seenMs = host.clock.nowMs();
    this.head = Buffer.alloc(0);
    this.offset = 0;
    this.records.startOver();
    this.searched = undefined;
    this.size = stat.size;
    return last ?? this.read(chunk, final);
  }
}
