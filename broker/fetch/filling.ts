import type { Counter } from '../host/metrics.ts';
import { attributesOf, batchSizeOf, offsetBehind } from '../log/batch/batch-header.ts';
import type { PartitionLog } from '../log/log.ts';
import type { Pieces } from '../log/segment/pieces.ts';
import { codeOf } from '../server/topics.ts';
import { CODE } from '../wire/errors.ts';
import type { AskedPartition } from './asked-partition.ts';
import type { ReadPlan } from './fetch-read.ts';
import { answered, failed, type PartitionAnswer } from './partition-answer.ts';
import type { NextRead, ReadBounds } from './read-ahead.ts';
import type { WantedPartition } from './wanted-partition.ts';

/** Reads that one answer has going on at a time: the disk works while what it has brought is checked. */
const READS_MAX = 4;
const ZSTD = 4;

interface Reading {
  readonly at: number;
  /** What it may bring. */
  readonly bytesMax: number;
  readonly answer: Promise<PartitionAnswer>;
}

/**
 * An answer that is being filled, partition by partition. What reads that go on may bring is set aside, so that they
 * bring what they would have brought one after the other.
 */
export class Filling {
  readonly answers: Array<PartitionAnswer | undefined>;
  /** Something did not fit. */
  cut = false;
  /** Read since somebody set it to 0. */
  turnBytes = 0;
  /** Where the reader will go on in segments. */
  readonly next: NextRead[] = [];
  private readonly all: readonly WantedPartition[];
  private readonly plan: ReadPlan;
  private readonly version: number;
  private readonly fetchedBytes: Counter;
  private left: number;
  private setAside = 0;
  private isEmpty = true;
  private isFull = false;
  private readonly reading: Reading[] = [];
  private topic = '';
  private topicBytes = 0;

  constructor(all: readonly WantedPartition[], plan: ReadPlan, version: number, fetchedBytes: Counter) {
    this.all = all;
    this.plan = plan;
    this.version = version;
    this.fetchedBytes = fetchedBytes;
    this.left = Math.max(0, plan.maxBytes);
    this.answers = all.map(({ settled }) => settled);
  }

  /** Nothing from here on is for this reader yet. */
  endOf({ lastStableOffset, highWatermark }: PartitionLog): number {
    return this.plan.readCommitted ? lastStableOffset : highWatermark;
  }

  /** Whether anything of the partition may go in; the first may always. */
  async hasRoom({ maxBytes }: AskedPartition): Promise<boolean> {
    // How much there is decides what it gets: it has to be known.
    if (this.reading.length > 0 && this.left - this.setAside < maxBytes) await this.settle(0);
    return this.isEmpty || (!this.isFull && Math.min(maxBytes, this.left) > 0);
  }

  /** Reads the partition from where it was asked for to `end`. The answer may come later. */
  async read(at: number, log: PartitionLog, end: number): Promise<void> {
    const { asked } = this.all[at]!;
    const { fetchOffset } = asked;
    const bytesMax = Math.max(0, Math.min(asked.maxBytes, this.left));
    const isFirst = this.isEmpty && this.reading.length === 0;
    try {
      const read = this.piecesFrom(log, fetchOffset, { bytesMax, minOneBatch: isFirst, before: end });
      if (!(read instanceof Promise) && !this.plan.readCommitted) {
        return this.take(at, bytesMax, this.answerOf(asked, log, read, null));
      }
      this.setAside += bytesMax;
      this.reading.push({ at, bytesMax, answer: this.answerLater(asked, log, read) });
    } catch (error) {
      this.take(at, bytesMax, failed(asked.partition, codeOf(error)));
    }
    await this.settle(READS_MAX - 1);
  }

  /** As `readPieces`; the disk was looked at already where the answer before has seen to it. */
  private piecesFrom(log: PartitionLog, offset: number, bounds: ReadBounds): Pieces | Promise<Pieces> {
    const { readAhead, lease } = this.plan;
    const { bytesMax, minOneBatch, before } = bounds;
    const anew = (): Pieces | Promise<Pieces> => log.readPieces(offset, bytesMax, minOneBatch, before, lease);
    return readAhead.take(log, offset, bounds, lease)?.then((pieces) => pieces ?? anew()) ?? anew();
  }

  async done(): Promise<void> {
    await this.settle(0);
    if (this.isEmpty && this.cut) await this.readDenied();
    this.count();
  }

  /** The first could not be read, and no other was allowed a batch larger than it had asked for: now one is. */
  private async readDenied(): Promise<void> {
    for (let i = 0; this.isEmpty && i < this.all.length; i += 1) {
      const at = (i + this.plan.first) % this.all.length;
      const { log, asked, settled } = this.all[at]!;
      if (!log || settled || this.answers[at]?.errorCode !== CODE.NONE) continue;
      const end = this.endOf(log);
      if (asked.fetchOffset >= end) continue;
      await this.read(at, log, end);
      await this.settle(0);
    }
  }

  /** Waits until so many reads go on at most. */
  private async settle(most: number): Promise<void> {
    while (this.reading.length > most) {
      const { at, bytesMax, answer } = this.reading.shift()!;
      this.setAside -= bytesMax;
      this.take(at, bytesMax, await answer);
    }
  }

  private take(at: number, bytesMax: number, answer: PartitionAnswer): void {
    this.answers[at] = answer;
    const { asked, log } = this.all[at]!;
    const bytes = answer.records?.length ?? 0;
    if (bytes === 0) {
      this.cut = true;
      // Who looks into each of a thousand partitions whether its next batch still fits reads for nothing.
      this.isFull ||= answer.errorCode === CODE.NONE && bytesMax < asked.maxBytes;
      return;
    }
    this.isEmpty = false;
    this.left = Math.max(0, this.left - bytes);
    this.turnBytes += bytes;
    if (log!.topic !== this.topic) {
      this.count();
      this.topic = log!.topic;
    }
    this.topicBytes += bytes;
  }

  private count(): void {
    if (this.topicBytes > 0) this.fetchedBytes.add(this.topicBytes, { topic: this.topic });
    this.topicBytes = 0;
  }

  private async answerLater(
    asked: AskedPartition,
    log: PartitionLog,
    read: Pieces | Promise<Pieces>,
  ): Promise<PartitionAnswer> {
    try {
      const records = await read;
      this.expect(asked, log, records);
      if (!this.plan.readCommitted) return this.answerOf(asked, log, records, null);
      // Everything below the last stable offset is decided, so nothing can be missing here.
      const aborted = await log.abortedTransactions(
        asked.fetchOffset,
        endOfRecords(records, asked.fetchOffset),
      );
      return this.answerOf(asked, log, records, aborted);
    } catch (error) {
      return failed(asked.partition, codeOf(error));
    }
  }

  /** Who was given about all it takes from segments comes back for what follows. */
  private expect({ maxBytes }: AskedPartition, log: PartitionLog, { length, chunks }: Pieces): void {
    const bytesMax = Math.min(maxBytes, this.plan.maxBytes);
    if (length <= bytesMax / 2) return;
    this.next.push({ log, offset: offsetBehind(chunks.at(-1)!), bytesMax });
  }

  private answerOf(
    { partition }: AskedPartition,
    log: PartitionLog,
    records: Pieces,
    aborted: PartitionAnswer['abortedTransactions'],
  ): PartitionAnswer {
    return this.version < 10 && hasZstd(records)
      ? failed(partition, CODE.UNSUPPORTED_COMPRESSION_TYPE)
      : answered(partition, log, records, aborted);
  }
}

function endOfRecords({ chunks }: Pieces, otherwise: number): number {
  const last = chunks.at(-1);
  return last && last.length > 0 ? offsetBehind(last) : otherwise;
}

function hasZstd({ chunks }: Pieces): boolean {
  for (const chunk of chunks) {
    for (let at = 0; at + 23 <= chunk.length; at += batchSizeOf(chunk, at)) {
      if ((attributesOf(chunk, at) & 7) === ZSTD) return true;
    }
  }
  return false;
}
