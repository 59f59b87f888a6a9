/**
 * Records of `__share_group_state`: 0 a snapshot of one partition's deliveries, 1 a change of it.
 */
import { message } from '../codec.ts';
import { array, int16, int32, int64, int8, string, uuid } from '../schema.ts';

export const shareSnapshotKey = message(
  {
    groupId: string(),
    topicId: uuid(),
    partition: int32(),
  },
  Infinity,
);

export const shareSnapshotValue = message(
  {
    snapshotEpoch: int32(),
    stateEpoch: int32(),
    leaderEpoch: int32(),
    startOffset: int64(),
    deliveryCompleteCount: int32('0+', { default: -1, tag: 0 }),
    createTimestamp: int64(),
    writeTimestamp: int64(),
    stateBatches: array({
      firstOffset: int64(),
      lastOffset: int64(),
      deliveryState: int8(),
      deliveryCount: int16(),
    }),
  },
  0,
);

export const shareUpdateKey = message(
  {
    groupId: string(),
    topicId: uuid(),
    partition: int32(),
  },
  Infinity,
);

export const shareUpdateValue = message(
  {
    snapshotEpoch: int32(),
    leaderEpoch: int32(),
    startOffset: int64(),
    deliveryCompleteCount: int32('0+', { default: -1, tag: 0 }),
    stateBatches: array({
      firstOffset: int64(),
      lastOffset: int64(),
      deliveryState: int8(),
      deliveryCount: int16(),
    }),
  },
  0,
);
