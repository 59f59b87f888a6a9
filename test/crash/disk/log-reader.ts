import { fetch, initProducerId, listOffsets } from '../../../broker/wire/schemas/index.ts';
import { RawClient } from '../../support/raw-client.ts';
import { handedOut } from '../histories/assigned-reader.ts';
import type { Found } from './found.ts';

export type Isolation = 'read_uncommitted' | 'read_committed';

const FETCH_VERSION = 11;
const LIST_OFFSETS_VERSION = 5;
const INIT_PRODUCER_ID_VERSION = 4;
const PARTITION_BYTES = 4 * 1024 * 1024;
const OFFSET_OUT_OF_RANGE = 1;
/** COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, CONCURRENT_TRANSACTIONS, KAFKA_STORAGE_ERROR. */
const AGAIN = new Set([14, 15, 51, 56]);
const AGAIN_MS = 10;

export interface TopicPlan {
  readonly name: string;
  readonly partitions: number;
  readonly isCompacted: boolean;
  /** Without it nothing is deleted. */
  readonly retentionBytes?: number | undefined;
}

interface Position {
  next: number;
  /** Where the log began when it was last read. */
  start: number;
  /** Up to where it was read. */
  end: number;
  /** Of batches from `start` on, where the reader began at the start. */
  bytes: number;
}

/**
 * Reads partitions from their starts to their ends by requests of its own, and what comes after that in the next pass:
 * one reader of one isolation level, over all restarts of the broker.
 */
export class LogReader {
  readonly isolation: Isolation;
  readonly found: Found;
  /** Whether records come while it reads. */
  readonly isLive: boolean;
  readonly #topics: readonly TopicPlan[];
  readonly #positions = new Map<string, Position>();

  constructor(isolation: Isolation, topics: readonly TopicPlan[], found: Found, isLive: boolean) {
    this.isLive = isLive;
    this.isolation = isolation;
    this.#topics = topics;
    this.found = found;
    for (const { name, partitions } of topics) {
      for (let partition = 0; partition < partitions; partition += 1) {
        this.#positions.set(`${name} ${partition}`, { next: 0, start: 0, end: 0, bytes: 0 });
      }
    }
  }

  start(topic: string, partition: number): number {
    return this.#at(topic, partition).start;
  }

  end(topic: string, partition: number): number {
    return this.#at(topic, partition).end;
  }

  isCompacted(topic: string): boolean {
    return this.#topics.find(({ name }) => name === topic)?.isCompacted ?? false;
  }

  /** Bytes of batches that a reader of everything met. */
  bytes(topic: string, partition: number): number {
    return this.#at(topic, partition).bytes;
  }

  /** To what are the ends when it begins. @throws Error when the broker goes away or a read is refused */
  async readToEnd(client: RawClient): Promise<void> {
    const ends = await endsOf(client, this.#topics, this.isolation);
    for (const topic of this.#topics) {
      for (let partition = 0; partition < topic.partitions; partition += 1) {
        await this.#readPartition(client, topic, partition, ends.get(`${topic.name} ${partition}`)!);
      }
    }
    const starts = await offsetsOf(client, this.#topics, -2, 0);
    for (const [place, start] of starts) this.#positions.get(place)!.start = start;
  }

  async #readPartition(client: RawClient, topic: TopicPlan, partition: number, end: number): Promise<void> {
    const position = this.#at(topic.name, partition);
    let stalled = 0;
    while (position.next < end) {
      const { responses } = await client.call(fetch, FETCH_VERSION, {
        maxWaitMs: 100,
        minBytes: 1,
        maxBytes: PARTITION_BYTES,
        isolationLevel: this.isolation === 'read_committed' ? 1 : 0,
        topics: [
          {
            topic: topic.name,
            partitions: [{ partition, fetchOffset: position.next, partitionMaxBytes: PARTITION_BYTES }],
          },
        ],
      });
      const answer = responses[0]!.partitions[0]!;
      if (answer.errorCode === OFFSET_OUT_OF_RANGE && answer.logStartOffset !== position.next) {
        const starts = await offsetsOf(client, [topic], -2, 0);
        const start = starts.get(`${topic.name} ${partition}`)!;
        if (start <= position.next) {
          throw new Error(
            `cannot read ${topic.name}-${partition}: ${position.next} is out of range, start ${start}, want to ${end}`,
          );
        }
        position.next = start;
        position.bytes = 0;
        continue;
      }
      if (answer.errorCode !== 0) {
        throw new Error(
          `cannot read ${topic.name}-${partition} at ${position.next}: got error ${answer.errorCode}`,
        );
      }
      const bytes = answer.records ?? Buffer.alloc(0);
      if (bytes.length === 0) {
        stalled += 1;
        if (stalled > 50) {
          this.found.report(
            'stuck',
            `${topic.name}-${partition}: nothing at ${position.next}, want to ${end}`,
          );
          break;
        }
        continue;
      }
      stalled = 0;
      if (!topic.isCompacted) this.#checkGaps(topic.name, partition, bytes, position.next);
      const { records, next } = handedOut(partition, bytes, answer.abortedTransactions ?? []);
      for (const { offset, value } of records) {
        if (offset >= position.next) this.found.take(topic.name, partition, offset, value);
      }
      position.bytes += bytes.length;
      position.next = Math.max(next ?? 0, position.next);
    }
    position.end = Math.max(position.next, end);
  }

  #checkGaps(topic: string, partition: number, bytes: Buffer, from: number): void {
    let next: number | undefined;
    for (let at = 0; at < bytes.length; at += 12 + bytes.readInt32BE(at + 8)) {
      const base = Number(bytes.readBigInt64BE(at));
      if (next === undefined ? base > from : base !== next) {
        this.found.report('gap', `${topic}-${partition}: a batch at ${base}, want ${next ?? from}`);
      }
      next = base + bytes.readInt32BE(at + 23) + 1;
    }
  }

  #at(topic: string, partition: number): Position {
    return this.#positions.get(`${topic} ${partition}`)!;
  }
}

/** Ends whatever transactions these ids have open, as a producer that starts under one of them does. */
export async function endTransactions(
  client: RawClient,
  ids: readonly string[],
  timeoutMs: number,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  for (const transactionalId of ids) {
    for (;;) {
      const { errorCode } = await client.call(initProducerId, INIT_PRODUCER_ID_VERSION, {
        transactionalId,
        transactionTimeoutMs: 10_000,
        producerId: -1,
        producerEpoch: -1,
      });
      if (errorCode === 0) break;
      if (!AGAIN.has(errorCode) || performance.now() > deadlineMs)
        throw new Error(`cannot end ${transactionalId}: got error ${errorCode}`);
      await new Promise((resolve) => void setTimeout(resolve, AGAIN_MS));
    }
  }
}

/** Until no transaction holds up readers of committed records. @throws Error when that takes longer */
export async function untilStable(
  client: RawClient,
  topics: readonly TopicPlan[],
  timeoutMs: number,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const ends = await endsOf(client, topics, 'read_uncommitted');
    const stable = await endsOf(client, topics, 'read_committed');
    const held = [...ends].filter(([place, end]) => stable.get(place)! < end);
    if (held.length === 0) return;
    if (performance.now() > deadlineMs) {
      const says = held.map(([place, end]) => `${place} at ${stable.get(place)} of ${end}`).join();
      throw new Error(`transactions hold up readers for more than ${timeoutMs} ms: ${says}`);
    }
    await new Promise((resolve) => void setTimeout(resolve, AGAIN_MS));
  }
}

function endsOf(
  client: RawClient,
  topics: readonly TopicPlan[],
  isolation: Isolation,
): Promise<Map<string, number>> {
  return offsetsOf(client, topics, -1, isolation === 'read_committed' ? 1 : 0);
}

async function offsetsOf(
  client: RawClient,
  topics: readonly TopicPlan[],
  timestamp: -1 | -2,
  isolationLevel: 0 | 1,
): Promise<Map<string, number>> {
  const answer = await client.call(listOffsets, LIST_OFFSETS_VERSION, {
    replicaId: -1,
    isolationLevel,
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp })),
    })),
  });
  const offsets = new Map<string, number>();
  for (const { name, partitions } of answer.topics) {
    for (const { partitionIndex, offset, errorCode } of partitions) {
      if (errorCode !== 0) throw new Error(`cannot list offsets of ${name}: got error ${errorCode}`);
      offsets.set(`${name} ${partitionIndex}`, offset);
    }
  }
  return offsets;
}
