import { api } from '../codec.ts';
import { array, int16, int32, string } from '../schema.ts';

export const leaveGroup = api({
  key: 13,
  name: 'LeaveGroup',
  versions: [0, 5],
  flexibleFrom: 4,
  request: {
    groupId: string(),
    memberId: string('0-2'),
    members: array(
      {
        memberId: string(),
        groupInstanceId: string('0+', { nullable: '0+', default: null }),
        reason: string('5+', { nullable: '0+', default: null }),
      },
      '3+',
    ),
  },
  response: {
    throttleTimeMs: int32('1+', { default: 0 }),
    errorCode: int16(),
    members: array(
      {
        memberId: string(),
        groupInstanceId: string('0+', { nullable: '0+' }),
        errorCode: int16(),
      },
      '3+',
    ),
  },
});
