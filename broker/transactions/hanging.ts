/**
 * Transactions that are open in a partition and that no coordinator will ever end: a crash of former versions, a
 * producer that was not verified. They hold up every reader that wants committed records only, until somebody ends
 * them (kafka-transactions abort).
 */
import type { BrokerLog, PartitionLog } from '../log/log.ts';

export interface HangingTransaction {
  readonly partition: PartitionLog;
  readonly producerId: number;
  readonly startOffset: number;
}

/** `isKnown` tells whether the coordinator has this producer's transaction in this partition. */
export function findHanging(
  log: BrokerLog,
  isKnown: (producerId: number, partition: PartitionLog) => boolean,
): HangingTransaction[] {
  return log.topics().flatMap(({ partitions }) =>
    partitions.flatMap((partition) =>
      partition
        .activeProducers()
        .filter(
          ({ producerId, transactionStartOffset }) =>
            transactionStartOffset >= 0 && !isKnown(producerId, partition),
        )
        .map(({ producerId, transactionStartOffset }) => ({
          partition,
          producerId,
          startOffset: transactionStartOffset,
        })),
    ),
  );
}

export function isStillOpen({ partition, producerId, startOffset }: HangingTransaction): boolean {
  return partition
    .activeProducers()
    .some((one) => one.producerId === producerId && one.transactionStartOffset === startOffset);
}
