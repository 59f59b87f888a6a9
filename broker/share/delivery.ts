/** One partition of one group, with what belongs to it. */
import type { Deadline } from '../host/deadline.ts';
import type { Cancel } from '../host/host.ts';
import type { PartitionLog } from '../log/log.ts';
import { Turns } from '../log/turns.ts';
import type { SharePartition } from './share-partition.ts';
import type { StateKey, StoredState } from './share-state-records.ts';

export interface Delivery {
  readonly key: StateKey;
  readonly log: PartitionLog;
  partition: SharePartition;
  /** Grows with every snapshot, so that an update is known to belong to it. */
  snapshotEpoch: number;
  /** Grows when an administrator sets the offsets. */
  readonly stateEpoch: number;
  /** Since the last snapshot. */
  updates: number;
  /** Fetches come one after the other, or two would read the same. */
  readonly turns: Turns;
  /** Told when records have become available, or room for more. */
  readonly waiting: Set<() => void>;
  /** Steady time before which nothing is tried again after the disk refused. */
  notBeforeMs: number;
  /** When the next lock ends. */
  readonly deadline: Deadline;
  cancelLetters: Cancel;
  isWritingLetters: boolean;
  /** Deleted or set anew: what still waits for it leaves. */
  isGone: boolean;
}

export function newDelivery(
  key: StateKey,
  log: PartitionLog,
  partition: SharePartition,
  { snapshotEpoch, stateEpoch }: Pick<StoredState, 'snapshotEpoch' | 'stateEpoch'>,
  deadline: Deadline,
): Delivery {
  return {
    key,
    log,
    partition,
    snapshotEpoch,
    stateEpoch,
    updates: 0,
    turns: new Turns(),
    waiting: new Set(),
    notBeforeMs: 0,
    deadline,
    cancelLetters: () => {},
    isWritingLetters: false,
    isGone: false,
  };
}

/** As Kafka writes the key of a coordinator: the topic's id in base 64. */
export function coordinatorKey({ groupId, topicId, partition }: StateKey): string {
  const id = Buffer.from(topicId.replaceAll('-', ''), 'hex').toString('base64url');
  return `${groupId}:${id}:${partition}`;
}

export function keyText({ groupId, topicId, partition }: StateKey): string {
  return JSON.stringify([groupId, topicId, partition]);
}
