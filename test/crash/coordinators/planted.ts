import { Commits } from '../../../broker/groups/commits.ts';
import { GroupLog } from '../../../broker/groups/group-log.ts';
import { PendingOffsets } from '../../../broker/groups/pending-offsets.ts';
import { StateLog } from '../../../broker/share/state-log.ts';
import { InternalTopic } from '../../../broker/state/internal-topic.ts';
import { MarkerWriter } from '../../../broker/transactions/marker-writer.ts';
import { TransactionCoordinator } from '../../../broker/transactions/coordinator.ts';
import { TransactionLog } from '../../../broker/transactions/transaction-log.ts';
import { replace } from '../planted-in-log.ts';

/** Mistakes that coordinators could make: `install` puts one in and returns what takes it out again. */
export interface PlantedInCoordinators {
  readonly name: string;
  readonly install: () => () => void;
}

const STORED = Promise.resolve(0);

export const PLANTED_IN_COORDINATORS: readonly PlantedInCoordinators[] = [
  {
    name: 'the marker of one partition is forgotten',
    install: () =>
      replace(MarkerWriter.prototype, 'writeAll', (_, writeAll, markers, epoch) =>
        writeAll({ ...markers, places: new Map([...markers.places].slice(0, 2)) }, epoch),
      ),
  },
  {
    name: 'Prepare is not stored',
    install: () => unstored((state) => state.startsWith('Prepare')),
  },
  { name: 'what joins a transaction is not stored', install: () => unstored((state) => state === 'Ongoing') },
  { name: 'the epoch that fences is not stored', install: () => unstored((state) => state === 'Empty') },
  {
    name: 'what becomes of transactions is not waited for',
    install: () =>
      replace(TransactionLog.prototype, 'append', (_, append, transactionalId, value) => {
        void append(transactionalId, value);
        return STORED;
      }),
  },
  {
    name: 'transactions that took too long are left alone',
    install: () => replace(TransactionCoordinator.prototype, 'abortTimedOut', async () => {}),
  },
  {
    name: 'positions of open transactions are forgotten at the start',
    install: () =>
      replace(PendingOffsets.prototype, 'replay', (_, replay, record, version, partition) => {
        if (record.transaction?.end) replay(record, version, partition);
      }),
  },
  {
    name: 'markers are overlooked among the positions at the start',
    install: () =>
      replace(PendingOffsets.prototype, 'replay', (_, replay, record, version, partition) => {
        if (!record.transaction?.end) replay(record, version, partition);
      }),
  },
  {
    name: 'positions of an aborted transaction count',
    install: () =>
      replace(PendingOffsets.prototype, 'complete', (_, complete, partition, producerId) =>
        complete(partition, producerId, true),
      ),
  },
  {
    name: 'a position is answered before it is durable',
    install: () =>
      replace(Commits.prototype, 'commit', (_, commit, entry, offsets) => {
        void commit(entry, offsets);
        return STORED;
      }),
  },
  {
    name: 'the record of a group is not waited for',
    install: () =>
      replace(GroupLog.prototype, 'append', (_, append, entry, records, producer) => {
        void append(entry, records, producer);
        return STORED;
      }),
  },
  {
    name: 'an acknowledgement of a share group is not stored',
    install: () =>
      replace(StateLog.prototype, 'change', (_, change, delivery, startOffset, batches) =>
        batches.some(({ state }) => state === 'acknowledged')
          ? STORED
          : change(delivery, startOffset, batches),
      ),
  },
  {
    name: 'that a share group was handed records is not stored',
    install: () =>
      replace(StateLog.prototype, 'change', (_, change, delivery, startOffset, batches) =>
        batches.every(({ state }) => state === 'available') ? STORED : change(delivery, startOffset, batches),
      ),
  },
  {
    name: 'records of coordinators are answered before they are durable',
    install: () =>
      replace(InternalTopic.prototype, 'append', (_, append, key, records, producer) => {
        void append(key, records, producer);
        return STORED;
      }),
  },
];

function unstored(is: (state: string) => boolean): () => void {
  return replace(TransactionLog.prototype, 'append', (_, append, transactionalId, value) =>
    value && is(value.state) ? STORED : append(transactionalId, value),
  );
}
