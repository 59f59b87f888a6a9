import { Checkpointer } from '../../broker/log/durable/checkpointer.ts';
import { DiskLog } from '../../broker/log/disk-log.ts';
import { DurableWaiters } from '../../broker/log/partition/durable-waiters.ts';
import { Housekeeper } from '../../broker/log/retention/housekeeper.ts';
import { Partition } from '../../broker/log/partition/partition.ts';
import { PartitionSegments } from '../../broker/log/segment/partition-segments.ts';
import { ProducerStates } from '../../broker/log/producers/producer-state.ts';
import { Segment } from '../../broker/log/segment/segment.ts';
import { SegmentIndex } from '../../broker/log/segment/segment-index.ts';
import { Tail } from '../../broker/log/partition/tail.ts';
import { TopicCatalog } from '../../broker/log/topics/topic-catalog.ts';
import { SharedSync } from '../../broker/log/wal/shared-sync.ts';
import { Wal } from '../../broker/log/wal/wal.ts';
import { WalFiles } from '../../broker/log/wal/wal-files.ts';
import type { WalItem } from '../../broker/log/wal/wal-group.ts';
import { type PlantedInLog, replace } from './planted-in-log.ts';

/** Mistakes that the parts of the log could make in storing and bringing back. As `PLANTED_IN_LOG`. */
export const PLANTED_IN_STORAGE: readonly PlantedInLog[] = [
  {
    name: 'files go before the start offset above them is durable',
    install: () => replace(Housekeeper.prototype, 'saveStarts', async () => {}),
  },
  {
    name: 'DeleteRecords is answered when it holds in memory',
    install: () => replace(DiskLog.prototype, 'startMoved', async () => {}),
  },
  {
    name: 'an entry of an index is off by one',
    sizes: { segmentBytes: 12_000, walFileBytes: 8_000 },
    install: () =>
      replace(SegmentIndex.prototype, 'positionFor', (_, positionFor, offset) => {
        const place = positionFor(offset);
        return place.position === 0 ? place : { ...place, position: place.position + 1 };
      }),
  },
  {
    name: 'a segment that rolls is named one too high',
    install: () => replace(PartitionSegments.prototype, 'roll', (_, roll, base) => roll(base + 1)),
  },
  {
    name: 'retention takes one segment too many',
    install: () =>
      replace(Partition.prototype, 'takeDeadSegments', (partition, takeDead) => {
        const dead = takeDead();
        const { segments } = partition;
        if (dead.length > 0 && segments.length > 1) dead.push((segments as Segment[]).shift()!);
        return dead;
      }),
  },
  {
    name: 'a group commit acknowledges the first of the next group',
    install: acknowledgeNext,
  },
  {
    name: 'what is written beside a sync counts when that sync ends',
    install: () => replace(SharedSync.prototype, 'sync', (shared, sync) => shared.thisEnded() ?? sync()),
  },
  {
    name: 'who waits is told one offset too early',
    install: () => replace(DurableWaiters.prototype, 'advance', (_, advance, to) => advance(to + 3)),
  },
  {
    name: 'readers are given what is only appended',
    install: () =>
      replace(Partition.prototype, 'append', (partition, append, batch, options) => {
        const appended = append(batch, options);
        partition.highWatermark = partition.endOffset;
        return appended;
      }),
  },
  {
    name: 'a refused batch stays in memory',
    needsFaults: true,
    install: () => replace(Tail.prototype, 'pop', () => {}),
  },
  {
    name: 'who waited for a refused batch is told that it is durable',
    needsFaults: true,
    install: () =>
      replace(DurableWaiters.prototype, 'refuseAbove', (waiters) =>
        waiters.advance(Number.POSITIVE_INFINITY),
      ),
  },
  {
    name: 'after a failed sync the loss is not written again',
    needsFaults: true,
    install: () => replace(Checkpointer.prototype, 'repair', (_, repair) => repair(async () => {})),
  },
  {
    name: 'a new topic is answered before the catalog is stored',
    install: () =>
      replace(TopicCatalog.prototype, 'store', (catalog, store, topics) => {
        void store(topics).catch(() => {});
        catalog.topics = topics;
        return Promise.resolve();
      }),
  },
  {
    name: 'the deletion of a topic is not stored',
    install: () =>
      replace(TopicCatalog.prototype, 'store', async (catalog, store, topics) => {
        if (topics.length >= catalog.topics.length) return await store(topics);
        catalog.topics = topics;
      }),
  },
  {
    name: 'producers are forgotten at a start',
    install: () => replace(ProducerStates.prototype, 'restore', () => {}),
  },
  {
    name: 'a write-ahead log file goes with the checkpoint that still needs it',
    install: () =>
      replace(WalFiles.prototype, 'removeBefore', (_, removeBefore, file) => removeBefore(file + 1)),
  },
  {
    name: 'a batch that the segments have is replayed again',
    install: () =>
      replace(Partition.prototype, 'replay', (partition, replay, batch, nowMs) => {
        const isStored = Number(batch.readBigInt64BE(0)) < partition.endOffset;
        if (!isStored) return replay(batch, nowMs);
        const copy = Buffer.from(batch);
        copy.writeBigInt64BE(BigInt(partition.endOffset), 0);
        return replay(copy, nowMs);
      }),
  },
  {
    name: 'the last batch of a replay is left out',
    install: () => {
      let last: unknown;
      return replace(Partition.prototype, 'replay', (partition, replay, batch, nowMs) => {
        // The first of each partition that would open a gap behind it is the one that is missing.
        if (last !== partition && partition.endOffset > 0) {
          last = partition;
          return false;
        }
        return replay(batch, nowMs);
      });
    },
  },
];

/** With each batch, the one behind it in the queue is called durable. */
function acknowledgeNext(): () => void {
  const queues = new WeakMap<Wal, WalItem[]>();
  return replace(Wal.prototype, 'append', (wal, append, item) => {
    const queue = queues.get(wal) ?? [];
    queues.set(wal, queue);
    let isDone = false;
    const early: WalItem = {
      ...item,
      owe: (yes) => item.owe(yes),
      committed: () => {
        if (isDone) return;
        isDone = true;
        queue.shift();
        item.committed();
        queue[0]?.committed();
      },
      refused: (error) => {
        if (isDone) return;
        queue.pop();
        item.refused(error);
      },
    };
    queue.push(early);
    append(early);
  });
}
