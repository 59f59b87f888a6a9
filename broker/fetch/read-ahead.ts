import type { Cancel, Timers } from '../host/host.ts';
import type { Counter } from '../host/metrics.ts';
import { batchSizeOf, lastOffsetOf, offsetBehind } from '../log/batch/batch-header.ts';
import type { PartitionLog } from '../log/log.ts';
import { NO_PIECES, type Pieces, piecesOf } from '../log/segment/pieces.ts';
import { type ReadBuffers, ReadLease } from '../log/segment/read-buffers.ts';

/** Of all readers together: one answer. For whom there is no room, nothing is read before it asks. */
const BYTES_MAX = 16 * 1024 * 1024;
/** At a time. What is asked for goes first, and what several bring is checked in one turn of the event loop. */
const READS_MAX = 2;
/** Who goes on asks within milliseconds; what nobody came for is given back. */
const KEPT_MS = 1_000;

/** Where a reader will go on, and how much it takes there. */
export interface NextRead {
  readonly log: PartitionLog;
  readonly offset: number;
  readonly bytesMax: number;
}

/** How `PartitionLog.readPieces` bounds what it returns. */
export interface ReadBounds {
  readonly bytesMax: number;
  readonly minOneBatch: boolean;
  /** Nothing that reaches it is handed out. */
  readonly before: number;
}

interface Ahead extends NextRead {
  readonly lease: ReadLease;
  /** Undefined until its turn; comes to undefined where it could not be read. Never rejects. */
  read: Promise<Pieces | undefined> | undefined;
  readonly cancel: Cancel;
}

/**
 * What those who go through a log will ask for next, read from segments and checked while they take what they have:
 * otherwise the broker and the client wait for each other in turn. What stands at an offset never changes, so it does not
 * matter when it was read; whether it may be handed out is judged when it is asked for.
 */
export class ReadAhead {
  private readonly timers: Timers;
  private readonly buffers: ReadBuffers;
  private readonly counter: Counter;
  /** One a partition, in the order in which they are read. */
  private readonly all = new Map<PartitionLog, Ahead>();
  private bytes = 0;
  private reading = 0;

  /** @param counter of reads ahead, by whether somebody came for them */
  constructor(timers: Timers, buffers: ReadBuffers, counter: Counter) {
    this.timers = timers;
    this.buffers = buffers;
    this.counter = counter;
  }

  /** Reads on, for those who will get all they take from segments and as far as there is room. */
  begin(places: readonly NextRead[]): void {
    for (const { log, offset, bytesMax } of places) {
      if (this.all.has(log) || this.bytes + bytesMax > BYTES_MAX) continue;
      if (log.availableBytes(offset, bytesMax) < bytesMax) continue;
      const ahead: Ahead = {
        log,
        offset,
        bytesMax,
        lease: new ReadLease(this.buffers),
        read: undefined,
        cancel: this.timers.after(KEPT_MS, () => this.giveUp(ahead)),
      };
      this.all.set(log, ahead);
      this.bytes += bytesMax;
    }
    this.readOn();
  }

  /**
   * What was read at `offset`, within the bounds; undefined when nothing was. Comes to undefined when it could not be read:
   * who reads it again is told why. Borrowed until `lease` ends.
   */
  take(
    log: PartitionLog,
    offset: number,
    bounds: ReadBounds,
    lease: ReadLease,
  ): Promise<Pieces | undefined> | undefined {
    const ahead = this.all.get(log);
    if (ahead?.offset !== offset) return undefined;
    this.forget(ahead);
    if (!ahead.read) return undefined;
    this.counter.add(1, { outcome: 'used' });
    lease.onEnd(() => ahead.lease.end());
    return ahead.read.then((pieces) => pieces && within(pieces, bounds));
  }

  /** Gives everything back. */
  stop(): void {
    for (const ahead of this.all.values()) this.giveUp(ahead);
  }

  private readOn(): void {
    for (const ahead of this.all.values()) {
      if (this.reading >= READS_MAX) return;
      if (ahead.read) continue;
      this.reading += 1;
      ahead.read = this.read(ahead);
    }
  }

  private async read({ log, offset, bytesMax, lease }: Ahead): Promise<Pieces | undefined> {
    try {
      return await log.readPieces(offset, bytesMax, true, undefined, lease);
    } catch {
      return undefined;
    } finally {
      this.reading -= 1;
      this.readOn();
    }
  }

  private giveUp(ahead: Ahead): void {
    this.forget(ahead);
    if (!ahead.read) return;
    this.counter.add(1, { outcome: 'unused' });
    // Until then the disk writes into what is borrowed.
    void ahead.read.then(() => ahead.lease.end());
  }

  private forget(ahead: Ahead): void {
    ahead.cancel();
    this.all.delete(ahead.log);
    this.bytes -= ahead.bytesMax;
  }
}

/** The leading batches that are within the bounds. */
function within(pieces: Pieces, { bytesMax, minOneBatch, before }: ReadBounds): Pieces {
  const last = pieces.chunks.at(-1);
  if (last === undefined || (pieces.length <= bytesMax && offsetBehind(last) <= before)) return pieces;
  const chunks: Buffer[] = [];
  let left = bytesMax;
  for (const chunk of pieces.chunks) {
    let at = 0;
    while (at < chunk.length && lastOffsetOf(chunk, at) < before) {
      const size = batchSizeOf(chunk, at);
      const mustCome = minOneBatch && chunks.length === 0 && at === 0;
      if (size > left && !mustCome) break;
      left -= size;
      at += size;
    }
    if (at > 0) chunks.push(chunk.subarray(0, at));
    if (at < chunk.length) break;
  }
  return chunks.length === 0 ? NO_PIECES : piecesOf(chunks);
}
