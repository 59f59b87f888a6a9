import { api } from '../codec.ts';
import { array, bytes, int16, int32, string } from '../schema.ts';

export const syncGroup = api({
  key: 14,
  name: 'SyncGroup',
  versions: [0, 5],
  flexibleFrom: 4,
  request: {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string('3+', { nullable: '0+', default: null }),
    protocolType: string('5+', { nullable: '0+', default: null }),
    protocolName: string('5+', { nullable: '0+', default: null }),
    assignments: array({
      memberId: string(),
      assignment: bytes(),
    }),
  },
  response: {
    throttleTimeMs: int32('1+', { default: 0 }),
    errorCode: int16(),
    protocolType: string('5+', { nullable: '0+', default: null }),
    protocolName: string('5+', { nullable: '0+', default: null }),
    assignment: bytes(),
  },
});
