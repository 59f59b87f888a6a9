/**
 * The writing end of `__share_group_state`: a snapshot after some hundred updates, and the topic kept small. A partition
 * that has grown is given a snapshot of everything that lives in it, and what is older is cut off: as in Kafka, this
 * topic is pruned by its writer and not compacted, since updates build upon each other.
 */
import type { Host } from '../host/host.ts';
import { LogError } from '../log/errors.ts';
import type { BrokerLog, PartitionLog } from '../log/log.ts';
import { InternalTopic, SHARE_STATE_TOPIC } from '../state/internal-topic.ts';
import type { ReadRecord } from '../state/record-batch.ts';
import { CODE } from '../wire/errors.ts';
import { coordinatorKey, type Delivery } from './delivery.ts';
import { recordsFinished, snapshotOf, type StateBatch } from './share-partition.ts';
import { snapshotRecord, type StateKey, stateTombstones, updateRecord } from './share-state-records.ts';

/** As Kafka's `share.coordinator.snapshot.update.records.per.snapshot`. */
const UPDATES_PER_SNAPSHOT = 500;

export class StateLog {
  readonly topic: InternalTopic;
  private readonly host: Host;
  private readonly rewriteBytes: number;
  private readonly deliveries: () => Iterable<Delivery>;
  private readonly rewriting = new Set<PartitionLog>();
  /** Size after the last rewrite, bytes. */
  private readonly rewritten = new Map<PartitionLog, number>();

  constructor(
    log: BrokerLog,
    host: Host,
    config: { readonly shareStatePartitions: number; readonly shareStateRewriteBytes: number },
    deliveries: () => Iterable<Delivery>,
  ) {
    this.host = host;
    this.rewriteBytes = config.shareStateRewriteBytes;
    this.deliveries = deliveries;
    this.topic = new InternalTopic(log, host, {
      name: SHARE_STATE_TOPIC,
      partitions: config.shareStatePartitions,
      configs: { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1' },
    });
  }

  replay(onRecord: (record: ReadRecord) => void): Promise<void> {
    return this.topic.replay(onRecord);
  }

  /** Before the first append, so that each of them can happen in the turn in which it is decided. */
  async ensure(): Promise<number> {
    try {
      await this.topic.ensure();
      return CODE.NONE;
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      return CODE.COORDINATOR_NOT_AVAILABLE;
    }
  }

  /** What has changed, or a snapshot when there were many changes. Appended in this turn. */
  async change(delivery: Delivery, startOffset: number, batches: readonly StateBatch[]): Promise<number> {
    delivery.updates += 1;
    if (delivery.updates > UPDATES_PER_SNAPSHOT) return this.snapshot(delivery);
    const { key, snapshotEpoch, log, partition } = delivery;
    const record = updateRecord(key, {
      snapshotEpoch,
      leaderEpoch: log.leaderEpoch,
      startOffset,
      batches,
      finished: recordsFinished(partition),
    });
    const errorCode = await this.topic.append(coordinatorKey(key), [record]);
    if (errorCode === CODE.NONE) this.keepSmall(delivery);
    return errorCode;
  }

  /** All there is to know, what is on its way to the disk included: it stands before this in the log. */
  async snapshot(delivery: Delivery): Promise<number> {
    const { key, log, stateEpoch } = delivery;
    delivery.snapshotEpoch += 1;
    delivery.updates = 0;
    const state = { snapshotEpoch: delivery.snapshotEpoch, stateEpoch, leaderEpoch: log.leaderEpoch };
    const record = snapshotRecord(
      key,
      { ...state, ...snapshotOf(delivery.partition) },
      this.host.clock.nowMs(),
    );
    return this.topic.append(coordinatorKey(key), [record]);
  }

  forget(key: StateKey): Promise<number> {
    return this.topic.append(coordinatorKey(key), stateTombstones(key));
  }

  private keepSmall({ key }: Delivery): void {
    const partition = this.topic.partitionFor(coordinatorKey(key));
    if (!partition || this.rewriting.has(partition)) return;
    const limit = Math.max(this.rewriteBytes, 2 * (this.rewritten.get(partition) ?? 0));
    if (partition.sizeBytes < limit) return;
    this.rewriting.add(partition);
    void this.rewrite(partition)
      .catch((error: unknown) => {
        const where = { err: error, partition: partition.partition };
        this.host.log.warn(where, `cannot rewrite ${SHARE_STATE_TOPIC}`);
      })
      .finally(() => {
        // What is left is what is true, or what could not be cut: the next try comes at twice that.
        this.rewritten.set(partition, partition.sizeBytes);
        this.rewriting.delete(partition);
      });
  }

  private async rewrite(partition: PartitionLog): Promise<void> {
    const fence = partition.endOffset;
    const codes = await Promise.all(
      [...this.deliveries()]
        .filter(({ key }) => this.topic.partitionFor(coordinatorKey(key)) === partition)
        .map((delivery) => this.snapshot(delivery)),
    );
    if (codes.every((code) => code === CODE.NONE)) await partition.deleteBefore(fence);
  }
}
