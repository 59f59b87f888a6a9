/** What workers need of a Kafka client, whichever it is. */
import type { Isolation, Polled } from './history.ts';

export interface ClientPort {
  readonly name: string;
  /** What its consumer makes of aborted records. */
  readonly isolation: Isolation;
  /** Ready when it resolves: whatever an earlier producer of that id left open is over. */
  producer(transactionalId: string | undefined): Promise<ProducerPort>;
  /** A member of the group, which begins at its position. */
  consumer(groupId: string): Promise<ConsumerPort>;
}

export interface ProducerPort {
  begin(): Promise<TransactionPort>;
  /** Outside of transactions; the offset of the first value. */
  send(partition: number, values: readonly string[]): Promise<number | undefined>;
  close(): Promise<void>;
}

export interface TransactionPort {
  send(partition: number, values: readonly string[]): Promise<number | undefined>;
  /** The group's positions behind what the consumer got with its last poll. */
  sendPositions(consumer: ConsumerPort): Promise<void>;
  commit(): Promise<void>;
  abort(): Promise<void>;
}

export interface ConsumerPort {
  readonly groupId: string;
  /** The next records in their order; none when none came for a while. */
  poll(): Promise<readonly Polled[]>;
  close(): Promise<void>;
}
