/**
 * The coordinator's writing end of `__transaction_state`, and the topic kept small as long as nothing compacts it: a
 * partition much larger than what it says gets all of that again at its end, and is cut in front of it.
 */
import type { Host } from '../host/host.ts';
import { LogError } from '../log/errors.ts';
import type { PartitionLog } from '../log/log.ts';
import type { InternalTopic } from '../state/internal-topic.ts';
import { encodeBatch } from '../state/record-batch.ts';
import { CODE } from '../wire/errors.ts';
import { transactionRecord } from './transaction-record.ts';
import type { TransactionValue } from './transaction-value.ts';

/** One transactional id as a rewrite sees it. */
export interface Rewritable {
  readonly transactionalId: string;
  /** Undefined while a newer record is on its way: it lies behind the fence. */
  readonly value: TransactionValue | undefined;
}

const RECORDS_PER_BATCH = 500;

export class TransactionLog {
  readonly topic: InternalTopic;
  private readonly host: Host;
  private readonly all: () => Iterable<Rewritable>;
  private readonly rewriteBytes: number;
  private readonly rewriting = new Set<PartitionLog>();
  /** Size after the last rewrite, bytes. */
  private readonly rewritten = new Map<PartitionLog, number>();
  private stopped = false;

  constructor(topic: InternalTopic, host: Host, rewriteBytes: number, all: () => Iterable<Rewritable>) {
    this.topic = topic;
    this.host = host;
    this.all = all;
    this.rewriteBytes = rewriteBytes;
  }

  /** Appended in this turn: a promise of the code once it is durable, or undefined where the log refused at once. */
  append(transactionalId: string, value: TransactionValue | null): Promise<number> | undefined {
    const partition = this.topic.partitionFor(transactionalId);
    if (!partition || this.stopped) return undefined;
    try {
      const nowMs = this.host.clock.nowMs();
      const batch = encodeBatch([transactionRecord(transactionalId, value)], nowMs);
      const { durable } = partition.append(batch, { nowMs, origin: 'coordinator' });
      return durable.then(
        () => {
          this.keepSmall(partition);
          return CODE.NONE;
        },
        (error: unknown) => this.failed(transactionalId, error),
      );
    } catch (error) {
      this.failed(transactionalId, error);
      return undefined;
    }
  }

  stop(): void {
    this.stopped = true;
  }

  private failed(transactionalId: string, error: unknown): number {
    if (!(error instanceof LogError)) throw error;
    this.topic.failures += 1;
    this.host.log.warn({ transactionalId, err: error }, 'cannot write to __transaction_state');
    return CODE.COORDINATOR_NOT_AVAILABLE;
  }

  private keepSmall(partition: PartitionLog): void {
    const limit = Math.max(this.rewriteBytes, 2 * (this.rewritten.get(partition) ?? 0));
    if (partition.sizeBytes < limit || this.rewriting.has(partition) || this.stopped) return;
    this.rewriting.add(partition);
    void this.rewrite(partition)
      .catch((error: unknown) => {
        this.host.log.warn(
          { err: error, partition: partition.partition },
          'cannot rewrite __transaction_state',
        );
      })
      .finally(() => {
        // What is left is what is true, or what could not be cut: the next try comes at twice that.
        this.rewritten.set(partition, partition.sizeBytes);
        this.rewriting.delete(partition);
      });
  }

  /** Nothing is cut unless all that is true was stored behind the fence. */
  private async rewrite(partition: PartitionLog): Promise<void> {
    const failuresBefore = this.topic.failures;
    const fence = partition.endOffset;
    await this.durable(partition, fence);
    const ids = [...this.all()]
      .map(({ transactionalId }) => transactionalId)
      .filter((id) => this.topic.partitionFor(id) === partition);
    for (let at = 0; at < ids.length; at += RECORDS_PER_BATCH) {
      const some = new Set(ids.slice(at, at + RECORDS_PER_BATCH));
      // Read in the turn of the append, so that no newer value can come between.
      const records = [...this.all()].flatMap(({ transactionalId, value }) =>
        value && some.has(transactionalId) ? [transactionRecord(transactionalId, value)] : [],
      );
      if (records.length === 0) continue;
      const nowMs = this.host.clock.nowMs();
      await partition.append(encodeBatch(records, nowMs), { nowMs, origin: 'coordinator' }).durable;
    }
    // A record that failed on its way was left out here: the former one stands only in the old part.
    if (this.topic.failures === failuresBefore) await partition.deleteBefore(fence);
  }

  /** And one turn more, in which those who waited for the same bytes have put them into memory. */
  private async durable(partition: PartitionLog, offset: number): Promise<void> {
    if (partition.highWatermark < offset) {
      await new Promise<void>((resolve) => {
        const cancel = partition.onAdvance(() => {
          if (partition.highWatermark < offset) return;
          cancel();
          resolve();
        });
      });
    }
    await new Promise<void>((resolve) => this.host.timers.soon(resolve));
  }
}
