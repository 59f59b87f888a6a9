import { isControl } from '../../broker/log/batch/batch-header.ts';
import { DiskTopics } from '../../broker/log/topics/disk-topics.ts';
import { Partition } from '../../broker/log/partition/partition.ts';
import { ProducerStates } from '../../broker/log/producers/producer-state.ts';
import { TransactionIndex } from '../../broker/log/producers/transaction-index.ts';
import { Wal } from '../../broker/log/wal/wal.ts';
import type { RunPlan } from './log-workload.ts';

/**
 * Mistakes that the log could make with transactions, planted in the log itself: `install` puts one in and returns what
 * takes it out again. They prove that the crash tests would notice.
 */
export interface PlantedInLog {
  readonly name: string;
  /** Only noticed when the disk also fails without a power cut. */
  readonly needsFaults?: boolean;
  /** A seed that shows it, where few do. */
  readonly seed?: number;
  /** Shows in files of these sizes. */
  readonly sizes?: RunPlan['sizes'];
  readonly install: () => () => void;
}

type Flushed = Awaited<ReturnType<Partition['flush']>>;

export const PLANTED_IN_LOG: readonly PlantedInLog[] = [
  {
    name: 'the last stable offset is one too far',
    install: () =>
      replaceGetter(Partition.prototype, 'lastStableOffset', (partition, offset) =>
        Math.min(offset + 1, partition.highWatermark),
      ),
  },
  {
    name: 'the last stable offset is one too near',
    install: () =>
      replaceGetter(Partition.prototype, 'lastStableOffset', (partition, offset) =>
        Math.max(offset - 1, partition.startOffset),
      ),
  },
  {
    name: 'readers are told of a transaction before its marker is durable',
    install: () =>
      replace(Partition.prototype, 'appendMarker', (partition, appendMarker, marker, nowMs) => {
        const appended = appendMarker(marker, nowMs);
        partition.transactions.open.delete(marker.producerId);
        return appended;
      }),
  },
  {
    name: 'an aborted transaction is missing where another was open',
    install: () =>
      replace(TransactionIndex.prototype, 'committed', (index, committed, change) => {
        const hide = index.open.size > 1 && change.ended?.commit === false;
        committed(hide ? { ...change, ended: { ...change.ended!, commit: true } } : change);
      }),
  },
  {
    name: 'an aborted transaction begins one too late',
    install: () =>
      replace(TransactionIndex.prototype, 'committed', (_index, committed, change) => {
        const { ended } = change;
        committed(ended ? { ...change, ended: { ...ended, firstOffset: ended.firstOffset + 1 } } : change);
      }),
  },
  {
    name: 'a marker is forgotten in recovery',
    install: () =>
      replace(Partition.prototype, 'replay', (partition, replay, batch, nowMs) => {
        const { transactions } = partition;
        if (isControl(batch)) transactions.committed = (): void => {};
        try {
          return replay(batch, nowMs);
        } finally {
          Reflect.deleteProperty(transactions, 'committed');
        }
      }),
  },
  {
    name: 'a checkpoint forgets open transactions',
    install: () =>
      changeCheckpoint((checkpoint) => ({
        ...checkpoint,
        producers: checkpoint.producers.map(([id, entry]) => [id, { ...entry, transactionStart: -1 }]),
      })),
  },
  {
    name: 'a checkpoint forgets aborted transactions',
    install: () => changeCheckpoint((checkpoint) => ({ ...checkpoint, aborted: [] })),
  },
  {
    name: 'a checkpoint has a transaction that is not durable yet',
    seed: 1,
    install: () =>
      replace(Partition.prototype, 'flush', async (partition, flush) => {
        const checkpoint = await flush();
        return { ...checkpoint, producers: [...partition.producers.entries] };
      }),
  },
  {
    name: 'a refused marker has ended its transaction all the same',
    seed: 11,
    needsFaults: true,
    install: () =>
      replace(ProducerStates.prototype, 'refused', (_states, refused, change) => {
        if (!change.ended) refused(change);
      }),
  },
];

/** Mistakes with lax topics. */
export const LAX_IN_LOG: readonly PlantedInLog[] = [
  {
    name: 'nothing is synced when its time is up',
    seed: 23,
    install: () => replace(Wal.prototype, 'sync', () => Promise.resolve()),
  },
  {
    name: 'offsets are given out again in the same epoch',
    seed: 2,
    install: () => replace(DiskTopics.prototype, 'bumpEpochs', () => {}),
  },
];

function changeCheckpoint(change: (checkpoint: Flushed) => Flushed): () => void {
  return replace(Partition.prototype, 'flush', async (_partition, flush) => change(await flush()));
}

type Method = (...args: never[]) => unknown;

/** Puts `instead` in the place of a method, for all objects of a class; returns what undoes it. */
export function replace<T extends object, K extends keyof T>(
  target: T,
  key: K,
  instead: T[K] extends Method
    ? (self: T, original: T[K], ...args: Parameters<T[K]>) => ReturnType<T[K]>
    : never,
): () => void {
  const original = target[key] as Method;
  const planted = function (this: T, ...args: never[]): unknown {
    return (instead as Method)(...([this, original.bind(this), ...args] as never[]));
  };
  Object.defineProperty(target, key, { value: planted, configurable: true, writable: true });
  return () => {
    Object.defineProperty(target, key, { value: original, configurable: true, writable: true });
  };
}

function replaceGetter<T extends object>(
  target: T,
  key: keyof T,
  instead: (self: T, original: number) => number,
): () => void {
  const found = Object.getOwnPropertyDescriptor(target, key)!;
  Object.defineProperty(target, key, {
    configurable: true,
    get(this: T) {
      return instead(this, found.get!.call(this) as number);
    },
  });
  return () => void Object.defineProperty(target, key, found);
}
