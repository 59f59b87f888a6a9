import { fetch, listOffsets } from '../../../broker/wire/schemas/index.ts';
import { RawClient } from '../../support/raw-client.ts';
import { markerIn, readRecords } from '../../support/record-batch.ts';
import type { Polled, Session } from './history.ts';
import type { Recorder } from './recorder.ts';

const FETCH_VERSION = 11;
const LIST_OFFSETS_VERSION = 5;
const WAIT_MS = 50;
const AWAY_MS = 100;
const TRANSACTIONAL = 0x10;

/**
 * Reads all partitions from their starts, by its own request and its own filter, and goes on where it was when the
 * broker comes back: one session from the first record to the last, whatever is killed in between.
 */
export class AssignedReader {
  readonly session: Session;
  readonly #port: number;
  readonly #topic: string;
  readonly #recorder: Recorder;
  readonly #next: number[];
  #client: RawClient | undefined;

  constructor(port: number, topic: string, partitions: number, session: Session, recorder: Recorder) {
    this.#port = port;
    this.#topic = topic;
    this.session = session;
    this.#recorder = recorder;
    this.#next = Array.from({ length: partitions }, () => 0);
  }

  async readUntil(stopping: () => boolean): Promise<void> {
    while (!stopping()) await this.#attempt(() => this.pollOnce());
  }

  /** To what is the end of every partition now, for readers of everything. Rejects when that takes too long. */
  async readToEnd(timeoutMs: number): Promise<void> {
    const deadlineMs = this.#recorder.nowMs() + timeoutMs;
    let ends: readonly number[] | undefined;
    while (!ends?.every((end, partition) => this.#next[partition]! >= end)) {
      if (this.#recorder.nowMs() > deadlineMs) {
        throw new Error(`${this.session.id} got to ${this.#next.join()}, want ${ends?.join() ?? 'ends'}`);
      }
      ends ??= await this.#attempt(() => this.#ends());
      await this.#attempt(() => this.pollOnce());
    }
  }

  /** One request, recorded as one operation unless it brought nothing; how many records it brought. */
  async pollOnce(): Promise<number> {
    const startMs = this.#recorder.nowMs();
    const records = await this.poll();
    if (records.length === 0) return 0;
    this.#recorder.add({
      process: this.session.id,
      startMs,
      outcome: 'ok',
      transactional: false,
      steps: [{ kind: 'poll', records }],
      session: this.session,
    });
    return records.length;
  }

  /** One request, recorded by the caller. */
  async poll(): Promise<Polled[]> {
    const client = await this.#connected();
    const partitions = this.#next.map((fetchOffset, partition) => ({
      partition,
      fetchOffset,
      partitionMaxBytes: 100_000,
    }));
    const { responses } = await client.call(
      fetch,
      FETCH_VERSION,
      {
        maxWaitMs: WAIT_MS,
        minBytes: 1,
        maxBytes: 1_000_000,
        isolationLevel: this.session.isolation === 'read_committed' ? 1 : 0,
        topics: [{ topic: this.#topic, partitions }],
      },
      this.session.id,
    );
    const records: Polled[] = [];
    for (const answer of responses.flatMap((one) => one.partitions)) {
      if (answer.errorCode !== 0) throw new Error(`cannot fetch: got ${answer.errorCode}`);
      const read = handedOut(
        answer.partitionIndex,
        answer.records ?? Buffer.alloc(0),
        answer.abortedTransactions ?? [],
      );
      records.push(...read.records);
      this.#next[answer.partitionIndex] = read.next ?? this.#next[answer.partitionIndex]!;
    }
    return records;
  }

  close(): void {
    this.#client?.close();
  }

  async #ends(): Promise<number[]> {
    const client = await this.#connected();
    const { topics } = await client.call(listOffsets, LIST_OFFSETS_VERSION, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [
        {
          name: this.#topic,
          partitions: this.#next.map((_, partitionIndex) => ({ partitionIndex, timestamp: -1 })),
        },
      ],
    });
    const ends: number[] = [];
    for (const { partitionIndex, offset } of topics[0]!.partitions) ends[partitionIndex] = offset;
    return ends;
  }

  async #connected(): Promise<RawClient> {
    if (!this.#client || this.#client.socket.destroyed) this.#client = await RawClient.connect(this.#port);
    return this.#client;
  }

  /** Undefined when the broker is away. */
  async #attempt<T>(act: () => Promise<T>): Promise<T | undefined> {
    try {
      return await act();
    } catch {
      this.close();
      await new Promise((resolve) => void setTimeout(resolve, AWAY_MS));
      return undefined;
    }
  }
}

/** As clients do it: an aborted producer's batches are left out from the first offset up to its abort marker. */
export function handedOut(
  partition: number,
  bytes: Buffer,
  aborted: ReadonlyArray<{ producerId: number; firstOffset: number }>,
): { records: Polled[]; next: number | undefined } {
  const records: Polled[] = [];
  const leftOut = new Set<number>();
  const coming = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset);
  let next: number | undefined;
  for (let at = 0; at < bytes.length; at += 12 + bytes.readInt32BE(at + 8)) {
    const batch = bytes.subarray(at, at + 12 + bytes.readInt32BE(at + 8));
    const baseOffset = Number(batch.readBigInt64BE(0));
    const producerId = Number(batch.readBigInt64BE(43));
    next = baseOffset + batch.readInt32BE(23) + 1;
    while (coming[0] && coming[0].firstOffset <= baseOffset) leftOut.add(coming.shift()!.producerId);
    const marker = markerIn(batch);
    if (marker === 'abort') leftOut.delete(producerId);
    const isTransactional = (batch.readInt16BE(21) & TRANSACTIONAL) !== 0;
    if (marker || (isTransactional && leftOut.has(producerId))) continue;
    for (const { offset, value } of readRecords(batch)) records.push({ partition, offset, value });
  }
  return { records, next };
}
