/** The coordinator's writing end of `__transaction_state`, which compaction keeps small. */
import type { Host } from '../host/host.ts';
import { LogError } from '../log/errors.ts';
import type { InternalTopic } from '../state/internal-topic.ts';
import { encodeBatch } from '../state/record-batch.ts';
import { CODE } from '../wire/errors.ts';
import { transactionRecord } from './transaction-record.ts';
import type { TransactionValue } from './transaction-value.ts';

export class TransactionLog {
  readonly topic: InternalTopic;
  private readonly host: Host;
  private stopped = false;

  constructor(topic: InternalTopic, host: Host) {
    this.topic = topic;
    this.host = host;
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
          this.topic.refusals.taken();
          return CODE.NONE;
        },
        (error: unknown) => this.failed(error),
      );
    } catch (error) {
      this.failed(error);
      return undefined;
    }
  }

  stop(): void {
    this.stopped = true;
  }

  private failed(error: unknown): number {
    if (!(error instanceof LogError)) throw error;
    this.topic.refusals.refused(error);
    return CODE.COORDINATOR_NOT_AVAILABLE;
  }
}
