/**
 * A compacted topic in which a coordinator keeps what it has decided: a record first, true in memory after. Made at
 * the first use; a key (a group, a transactional id) always goes to the same partition, chosen as Kafka does.
 */
import type { Host } from '../host/host.ts';
import { LogError } from '../log/errors.ts';
import type { BrokerLog, PartitionLog, Topic } from '../log/log.ts';
import { CODE } from '../wire/errors.ts';
import { RefusedWrites } from './refused-writes.ts';
import {
  type BatchProducer,
  batchesOf,
  encodeBatch,
  type ReadRecord,
  recordsOf,
  type StoredRecord,
} from './record-batch.ts';

export const OFFSETS_TOPIC = '__consumer_offsets';
export const TRANSACTIONS_TOPIC = '__transaction_state';
export const SHARE_STATE_TOPIC = '__share_group_state';
/** Clients cannot make these, with whatever settings topics get by default, nor write to them. */
export const INTERNAL_TOPICS: ReadonlySet<string> = new Set([
  OFFSETS_TOPIC,
  TRANSACTIONS_TOPIC,
  SHARE_STATE_TOPIC,
]);

/**
 * A group record holds every member's subscription and assignment; thousands of members make megabytes.
 * Kafka's default for ordinary topics would refuse them.
 */
const RECORD_BYTES_MAX = 16 * 1024 * 1024;
const REPLAY_READ_BYTES = 1024 * 1024;

/** As Kafka's, but for the segments: smaller ones are given back sooner. */
const CONFIGS = {
  'cleanup.policy': 'compact',
  'compression.type': 'producer',
  'segment.bytes': String(16 * 1024 * 1024),
  'max.message.bytes': String(RECORD_BYTES_MAX),
} as const;

export interface InternalTopicPlan {
  readonly name: string;
  readonly partitions: number;
  /** Settings that differ from the usual ones. */
  readonly configs?: Readonly<Record<string, string>>;
}

export class InternalTopic {
  readonly log: BrokerLog;
  readonly host: Pick<Host, 'clock' | 'log' | 'metrics'>;
  readonly refusals: RefusedWrites;
  readonly plan: InternalTopicPlan;
  private creating: Promise<Topic> | undefined;

  constructor(log: BrokerLog, host: Pick<Host, 'clock' | 'log' | 'metrics'>, plan: InternalTopicPlan) {
    this.log = log;
    this.refusals = new RefusedWrites(host, plan.name);
    this.host = host;
    this.plan = plan;
  }

  get topic(): Topic | undefined {
    return this.log.topic(this.plan.name);
  }

  /** Creates the topic when it is missing. @throws LogError */
  async ensure(): Promise<Topic> {
    if (this.topic) return this.topic;
    const configs = { ...CONFIGS, ...this.plan.configs };
    this.creating ??= this.log.createTopic({ ...this.plan, configs, internal: true }).finally(() => {
      this.creating = undefined;
    });
    return this.creating;
  }

  /**
   * Appends in this turn, once the topic is there; the promise resolves when the records are durable.
   * @returns 0, MESSAGE_TOO_LARGE, or COORDINATOR_NOT_AVAILABLE when the disk refused
   */
  async append(key: string, records: readonly StoredRecord[], producer?: BatchProducer): Promise<number> {
    try {
      if (!this.topic) await this.ensure();
      const nowMs = this.host.clock.nowMs();
      const partition = this.partitionFor(key)!;
      await partition.append(encodeBatch(records, nowMs, producer), { nowMs, origin: 'coordinator' }).durable;
      this.refusals.taken();
      return CODE.NONE;
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      if (error.code === 'MESSAGE_TOO_LARGE' || error.code === 'RECORD_LIST_TOO_LARGE') {
        this.host.log.warn({ key, reason: error.message }, `cannot write to ${this.plan.name}`);
        return CODE.MESSAGE_TOO_LARGE;
      }
      this.refusals.refused(error);
      return CODE.COORDINATOR_NOT_AVAILABLE;
    }
  }

  /** Where the key's records are; undefined before the first record of all. */
  partitionFor(key: string): PartitionLog | undefined {
    const { topic } = this;
    return topic?.partitions[partitionOf(key, topic.partitions.length)];
  }

  /** Hands over every record there is, oldest first within a partition. */
  async replay(onRecord: (record: ReadRecord, partition: number) => void): Promise<void> {
    for (const partition of this.topic?.partitions ?? []) {
      await replayPartition(partition, (record) => onRecord(record, partition.partition));
    }
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
export function partitionOf(key: string, partitions: number): number {
  let hash = 0;
  for (let i = 0; i < key.length; i += 1) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
  return (hash & 0x7fff_ffff) % partitions;
}
