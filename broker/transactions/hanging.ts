/**
 * Transactions that are open in a partition and that no coordinator will ever end: a crash of former versions, a
 * producer that was not verified. They hold up every reader that wants committed records only, until somebody ends
 * them (kafka-transactions abort).
 */
import type { Host } from '../host/host.ts';
import type { BrokerLog, PartitionLog } from '../log/log.ts';

interface HangingTransaction {
  readonly partition: PartitionLog;
  readonly producerId: number;
  readonly startOffset: number;
}

/** Those that were found at the start, until they are ended. */
export class HangingTransactions {
  private readonly host: Host;
  private list: HangingTransaction[] = [];

  constructor(host: Host) {
    this.host = host;
    const gauge = host.metrics.gauge(
      'millrace_broker_hanging_transactions',
      'Transactions found open in a partition at the start, that no coordinator will end.',
    );
    host.metrics.onCollect(() => {
      this.list = this.list.filter(isStillOpen);
      gauge.set(this.list.length);
    });
  }

  /** Looks for them and says each. `isKnown`: the coordinator has this producer's transaction in this partition. */
  find(log: BrokerLog, isKnown: (producerId: number, partition: PartitionLog) => boolean): void {
    this.list = findHanging(log, isKnown);
    for (const { partition, producerId, startOffset } of this.list) {
      const { topic, partition: index } = partition;
      this.host.log.warn(
        { topic, partition: index, producerId, startOffset },
        `a transaction of producer ${producerId} hangs in ${topic}-${index} from offset ${startOffset} on: nobody will end it; abort it with kafka-transactions`,
      );
    }
  }
}

function findHanging(
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

function isStillOpen({ partition, producerId, startOffset }: HangingTransaction): boolean {
  return partition
    .activeProducers()
    .some((one) => one.producerId === producerId && one.transactionStartOffset === startOffset);
}
