import { api } from '../codec.ts';
import { array, bool, int16, int32, int64, string, uuid } from '../schema.ts';

export const offsetFetch = api({
  key: 9,
  name: 'OffsetFetch',
  versions: [1, 10],
  flexibleFrom: 6,
  request: {
    groupId: string('0-7'),
    topics: array(
      {
        name: string('0-7'),
        partitionIndexes: array(int32(), '0-7'),
      },
      '0-7',
      { nullable: '2-7' },
    ),
    groups: array(
      {
        groupId: string(),
        memberId: string('9+', { nullable: '0+', default: null }),
        memberEpoch: int32('9+', { default: -1 }),
        topics: array(
          {
            name: string('8-9'),
            topicId: uuid('10+'),
            partitionIndexes: array(int32()),
          },
          '0+',
          { nullable: '0+' },
        ),
      },
      '8+',
    ),
    requireStable: bool('7+', { default: false }),
  },
  response: {
    throttleTimeMs: int32('3+', { default: 0 }),
    topics: array(
      {
        name: string('0-7'),
        partitions: array(
          {
            partitionIndex: int32('0-7'),
            committedOffset: int64('0-7'),
            committedLeaderEpoch: int32('5-7', { default: -1 }),
            metadata: string('0-7', { nullable: '0-7' }),
            errorCode: int16('0-7'),
          },
          '0-7',
        ),
      },
      '0-7',
    ),
    errorCode: int16('2-7', { default: 0 }),
    groups: array(
      {
        groupId: string(),
        topics: array({
          name: string('8-9'),
          topicId: uuid('10+'),
          partitions: array({
            partitionIndex: int32(),
            committedOffset: int64(),
            committedLeaderEpoch: int32('0+', { default: -1 }),
            metadata: string('0+', { nullable: '0+' }),
            errorCode: int16(),
          }),
        }),
        errorCode: int16('0+', { default: 0 }),
      },
      '8+',
    ),
  },
});
