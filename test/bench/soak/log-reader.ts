import type { Connection } from '../../../broker/client/connection.ts';
import { batchSizeOf, lastOffsetOf, recordCountOf } from '../../../broker/log/batch/batch-header.ts';
import { fetch, listOffsets } from '../../../broker/wire/schemas/index.ts';
import { fetchRequest } from '../raw-load.ts';

const WAIT_MS = 500;
const FETCH_VERSION_MAX = 12;
const OFFSET_OUT_OF_RANGE = 1;
const EARLIEST = -2;
const HEADER_BYTES = 61;

/** Reads a topic at its own pace; where retention has overtaken it, it goes on with what is there. */
export class LogReader {
  private readonly connection: Connection;
  private readonly topic: string;
  private readonly positions = new Map<number, number>();
  private readonly ends = new Map<number, number>();
  records = 0;
  bytes = 0;
  /** Records that were gone before it came to them. */
  missed = 0;

  constructor(connection: Connection, topic: string) {
    this.connection = connection;
    this.topic = topic;
  }

  /** How many records it is behind, as of the last answers. */
  get lag(): number {
    let lag = 0;
    for (const [partition, end] of this.ends) lag += end - this.positions.get(partition)!;
    return lag;
  }

  /** To the first records that are there. */
  async rewind(partitions: readonly number[]): Promise<void> {
    const wanted = partitions.map((partitionIndex) => ({ partitionIndex, timestamp: EARLIEST }));
    const request = {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: this.topic, partitions: wanted }],
      timeoutMs: 10_000,
    };
    const { topics } = await this.connection.request(listOffsets, request);
    for (const { partitionIndex, errorCode, offset } of topics[0]?.partitions ?? []) {
      if (errorCode !== 0) throw new Error(`cannot list offsets: the broker answers ${errorCode}`);
      this.positions.set(partitionIndex, offset);
    }
  }

  /** One request, of at most so many bytes; how many came. */
  async step(bytesMax: number): Promise<number> {
    const request = { ...fetchRequest(this.topic, this.positions, WAIT_MS), maxBytes: bytesMax };
    const { responses } = await this.connection.request(fetch, request, { versionMax: FETCH_VERSION_MAX });
    const overtaken: number[] = [];
    let bytes = 0;
    for (const { partitionIndex, errorCode, highWatermark, records } of responses[0]?.partitions ?? []) {
      if (errorCode === OFFSET_OUT_OF_RANGE) overtaken.push(partitionIndex);
      else if (errorCode !== 0) throw new Error(`cannot fetch: the broker answers ${errorCode}`);
      else {
        this.ends.set(partitionIndex, highWatermark);
        bytes += this.take(partitionIndex, records ?? Buffer.alloc(0));
      }
    }
    if (overtaken.length > 0) {
      const before = overtaken.map((partition) => this.positions.get(partition)!);
      await this.rewind(overtaken);
      for (const [n, partition] of overtaken.entries()) {
        this.missed += this.positions.get(partition)! - before[n]!;
      }
    }
    // Those that got nothing this time are first the next time, as with any consumer that goes round.
    const [first] = this.positions;
    if (first) {
      this.positions.delete(first[0]);
      this.positions.set(first[0], first[1]);
    }
    return bytes;
  }

  private take(partition: number, bytes: Buffer): number {
    let at = 0;
    while (at + HEADER_BYTES <= bytes.length) {
      const size = batchSizeOf(bytes, at);
      if (at + size > bytes.length) break;
      this.records += recordCountOf(bytes, at);
      this.positions.set(partition, lastOffsetOf(bytes, at) + 1);
      at += size;
    }
    this.bytes += at;
    return at;
  }
}
