/**
 * The topic `__consumer_offsets`: where the coordinator's decisions are durable before they are true.
 *
 * It is created at the first use, with Kafka's way of choosing a group's partition.
 */
import type { Host } from '../host/host.ts';
import { LogError } from '../log/errors.ts';
import type { BrokerLog, PartitionLog, Topic } from '../log/log.ts';
import { CODE } from '../wire/errors.ts';
import { batchesOf, encodeBatch, type ReadRecord, recordsOf, type StoredRecord } from './record-batch.ts';

export const OFFSETS_TOPIC = '__consumer_offsets';

/**
 * A group record holds every member's subscription and assignment; thousands of members make megabytes.
 * Kafka's default for ordinary topics would refuse them.
 */
const RECORD_BYTES_MAX = 16 * 1024 * 1024;
const REPLAY_READ_BYTES = 1024 * 1024;

/** As Kafka's, but for the segments: smaller ones are given back sooner (see offsets-rewrite.ts). */
export const OFFSETS_TOPIC_CONFIGS = {
  'cleanup.policy': 'compact',
  'compression.type': 'producer',
  'segment.bytes': String(16 * 1024 * 1024),
  'max.message.bytes': String(RECORD_BYTES_MAX),
} as const;

export class OffsetsTopic {
  readonly log: BrokerLog;
  readonly host: Pick<Host, 'clock' | 'log'>;
  readonly partitions: number;
  /** Appends that the log refused. */
  failures = 0;
  private creating: Promise<Topic> | undefined;

  constructor(log: BrokerLog, host: Pick<Host, 'clock' | 'log'>, partitions: number) {
    this.log = log;
    this.host = host;
    this.partitions = partitions;
  }

  /** Creates the topic when it is missing. @throws LogError */
  async ensure(): Promise<Topic> {
    const existing = this.log.topic(OFFSETS_TOPIC);
    if (existing) return existing;
    this.creating ??= this.log
      .createTopic({
        name: OFFSETS_TOPIC,
        partitions: this.partitions,
        configs: OFFSETS_TOPIC_CONFIGS,
        internal: true,
      })
      .finally(() => {
        this.creating = undefined;
      });
    return this.creating;
  }

  /**
   * Appends in this turn; the promise resolves when the records are durable.
   * @returns 0, or the code that the group's clients get
   */
  async append(groupId: string, records: readonly StoredRecord[]): Promise<number> {
    try {
      if (!this.log.topic(OFFSETS_TOPIC)) await this.ensure();
      const nowMs = this.host.clock.nowMs();
      const partition = this.partitionFor(groupId)!;
      await partition.append(encodeBatch(records, nowMs), { nowMs, origin: 'coordinator' }).durable;
      return CODE.NONE;
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      this.failures += 1;
      this.host.log.warn({ group: groupId, err: error }, 'cannot write to __consumer_offsets');
      return error.code === 'MESSAGE_TOO_LARGE' || error.code === 'RECORD_LIST_TOO_LARGE'
        ? CODE.INVALID_COMMIT_OFFSET_SIZE
        : CODE.COORDINATOR_NOT_AVAILABLE;
    }
  }

  /** Where the group's records are; undefined before the first. */
  partitionFor(groupId: string): PartitionLog | undefined {
    const topic = this.log.topic(OFFSETS_TOPIC);
    return topic?.partitions[partitionOf(groupId, topic.partitions.length)];
  }

  /** Hands over every record there is, oldest first within a partition. */
  async replay(onRecord: (record: ReadRecord) => void): Promise<void> {
    const topic = this.log.topic(OFFSETS_TOPIC);
    if (!topic) return;
    for (const partition of topic.partitions) await replayPartition(partition, onRecord);
  }
}

async function replayPartition(
  partition: PartitionLog,
  onRecord: (record: ReadRecord) => void,
): Promise<void> {
  let offset = partition.startOffset;
  while (offset < partition.highWatermark) {
    const bytes = await partition.read(offset, REPLAY_READ_BYTES, true);
    const before = offset;
    for (const batch of batchesOf(bytes)) {
      for (const record of recordsOf(batch)) {
        if (record.offset < offset) continue;
        onRecord(record);
        offset = record.offset + 1;
      }
    }
    if (offset === before) return;
  }
}

/** As Kafka: Java's string hash without its sign bit. */
export function partitionOf(groupId: string, partitions: number): number {
  let hash = 0;
  for (let i = 0; i < groupId.length; i += 1) hash = (Math.imul(hash, 31) + groupId.charCodeAt(i)) | 0;
  return (hash & 0x7fff_ffff) % partitions;
}
