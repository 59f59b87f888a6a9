/** Ends transactions in the partitions: a local append each, since every partition is here. */
import type { GroupCoordinator } from '../groups/coordinator.ts';
import type { Host } from '../host/host.ts';
import { LogError } from '../log/errors.ts';
import type { BrokerLog, TransactionEnd } from '../log/log.ts';
import { OFFSETS_TOPIC } from '../state/internal-topic.ts';
import { CODE } from '../wire/errors.ts';
import type { Place } from './place.ts';
import type { Markers } from './transaction.ts';

export class MarkerWriter {
  private readonly log: BrokerLog;
  private readonly groups: GroupCoordinator;
  private readonly host: Pick<Host, 'clock' | 'log'>;

  constructor(log: BrokerLog, groups: GroupCoordinator, host: Pick<Host, 'clock' | 'log'>) {
    this.log = log;
    this.groups = groups;
    this.host = host;
  }

  /**
   * All of them in this turn. Resolves when those that were written are durable and what they mean is true in
   * memory, or were refused by the disk; undefined when the log takes no more just now.
   */
  writeAll(markers: Markers, coordinatorEpoch: number): Promise<void> | undefined {
    const { producerId, producerEpoch, commit, version } = markers;
    const marker = { producerId, producerEpoch, commit, coordinatorEpoch, transactionVersion: version };
    const written: Array<Promise<unknown>> = [];
    for (const place of markers.places.values()) {
      const outcome = this.write(place, marker);
      if (typeof outcome !== 'number') written.push(outcome);
      else if (outcome === CODE.KAFKA_STORAGE_ERROR) return undefined;
      // A topic that was deleted needs no end; where another has ended it, there is nothing left to end.
      else if (outcome !== CODE.UNKNOWN_TOPIC_OR_PARTITION) {
        this.host.log.warn(
          { ...place, producerId, producerEpoch, code: outcome },
          'a marker was refused, left out',
        );
      }
    }
    return Promise.all(written).then(() => {});
  }

  /** A promise of the code once it is durable and counts, or the code where it was refused at once. */
  write({ topic, partition }: Place, marker: TransactionEnd): Promise<number> | number {
    const log = this.log.topic(topic)?.partitions[partition];
    if (!log) return CODE.UNKNOWN_TOPIC_OR_PARTITION;
    try {
      const { durable } = log.appendMarker(marker, this.host.clock.nowMs());
      return durable.then(
        () => {
          if (topic === OFFSETS_TOPIC) {
            this.groups.completeTransaction(partition, marker.producerId, marker.commit);
          }
          return CODE.NONE;
        },
        (error: unknown) => codeOf(error),
      );
    } catch (error) {
      return codeOf(error);
    }
  }
}

function codeOf(error: unknown): number {
  if (error instanceof LogError) return CODE[error.code];
  throw error;
}
