import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { CODE } from '../wire/errors.ts';
import { assign, type AssignedTopic } from './share-assignor.ts';
import {
  changesBetween,
  groupIdOf,
  replay,
  replayedGroup,
  stateTopicsRecord,
  tombstones,
} from './share-group-records.ts';
import { emptyShareGroup, heartbeat, type ShareGroup, stateOf, withoutMembers } from './share-group.ts';

const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_122);
const TOPIC: AssignedTopic = { id: '00000000-0000-4000-8000-000000000001', name: 't', partitions: 3 };
const find = (name: string) => (name === 't' ? TOPIC : undefined);

function beat(group: ShareGroup, memberId: string, memberEpoch: number, subscribed: string[] | null = null) {
  return heartbeat(
    group,
    { memberId, memberEpoch, subscribed, rackId: null, clientId: 'c', clientHost: '/h' },
    find,
    3,
  );
}

function join(group: ShareGroup, memberId: string) {
  const joined = beat(group, memberId, 0, ['t']);
  if ('errorCode' in joined) throw new Error(`refused with ${joined.errorCode}`);
  return joined;
}

describe('membership', () => {
  test('who joins gets partitions at once, and the group a new epoch', () => {
    const { group, answer } = join(emptyShareGroup('g'), 'a');
    expect(answer).toEqual({ memberEpoch: 1, assignment: new Map([[TOPIC.id, [0, 1, 2]]]) });
    expect(stateOf(group)).toBe('Stable');
  });

  test('others learn in their next heartbeat; without news there is no assignment in it', () => {
    const first = join(emptyShareGroup('g'), 'a').group;
    const both = join(first, 'b').group;
    const told = beat(both, 'a', 1);
    if ('errorCode' in told) throw new Error('refused');
    expect(told.answer.memberEpoch).toBe(2);
    expect(told.answer.assignment?.get(TOPIC.id)).toHaveLength(2);
    const again = beat(told.group, 'a', 2);
    expect(again).toMatchObject({ answer: { memberEpoch: 2, assignment: null } });
    expect('group' in again && again.group.epoch).toBe(2);
  });

  test('the epoch before the last is accepted, since its answer may be lost; others are FENCED_MEMBER_EPOCH', () => {
    const both = join(join(emptyShareGroup('g'), 'a').group, 'b').group;
    const three = join(both, 'c').group;
    const told = beat(three, 'a', 1);
    if ('errorCode' in told) throw new Error('refused');
    expect(told.answer.memberEpoch).toBe(3);
    expect(beat(told.group, 'a', 1)).toMatchObject({ answer: { memberEpoch: 3 } });
    for (const epoch of [2, 4])
      expect(beat(told.group, 'a', epoch)).toMatchObject({ errorCode: CODE.FENCED_MEMBER_EPOCH });
    expect(beat(told.group, 'a', 0, ['t'])).toMatchObject({ answer: { memberEpoch: 3 } });
  });

  test('who is not a member is UNKNOWN_MEMBER_ID, beating or leaving; a full group is GROUP_MAX_SIZE_REACHED', () => {
    let { group } = join(emptyShareGroup('g'), 'a');
    expect(beat(group, 'x', 1)).toMatchObject({ errorCode: CODE.UNKNOWN_MEMBER_ID });
    expect(beat(group, 'x', -1)).toMatchObject({ errorCode: CODE.UNKNOWN_MEMBER_ID });
    for (const one of ['b', 'c']) ({ group } = join(group, one));
    expect(beat(group, 'd', 0, ['t'])).toMatchObject({ errorCode: CODE.GROUP_MAX_SIZE_REACHED });
    expect(beat(group, 'c', 0, ['t'])).toMatchObject({ answer: { memberEpoch: 3 } });
  });

  test('leaving, silence, another subscription and more partitions give a new epoch', () => {
    const both = join(join(emptyShareGroup('g'), 'a').group, 'b').group;
    const left = beat(both, 'b', -1);
    expect(left).toMatchObject({ group: { epoch: 3 }, answer: { memberEpoch: -1, assignment: null } });
    expect(withoutMembers(both, ['a', 'b'], find)).toMatchObject({ epoch: 3, members: new Map() });
    expect(beat(both, 'b', 2, ['other'])).toMatchObject({ group: { epoch: 3 } });
    const grown = heartbeat(
      both,
      { memberId: 'b', memberEpoch: 2, subscribed: null, rackId: null, clientId: 'c', clientHost: '/h' },
      () => ({ ...TOPIC, partitions: 4 }),
      3,
    );
    expect(grown).toMatchObject({ group: { epoch: 3 } });
  });
});

test('the assignor covers every partition, gives every member one, and spreads them evenly', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 5 }),
      (partitions, sizes) => {
        let assigned = new Map<string, ReadonlyMap<string, readonly number[]>>();
        for (const size of sizes) {
          const members = Array.from({ length: size }, (_, i) => ({
            memberId: `m${i}`,
            subscribed: ['t'],
            assigned: assigned.get(`m${i}`) ?? new Map<string, number[]>(),
          }));
          assigned = assign(members, [{ ...TOPIC, partitions }]);
          const lists = members.map(({ memberId }) => assigned.get(memberId)!.get(TOPIC.id) ?? []);
          expect(new Set(lists.flat()).size).toBe(partitions);
          for (const list of lists) expect(new Set(list).size).toBe(list.length);
          const counts = lists.map((list) => list.length);
          expect(Math.min(...counts)).toBeGreaterThan(0);
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        }
      },
    ),
    { seed, numRuns: 300 },
  );
});

test('who has a partition keeps it where the balance allows', () => {
  const members = (ids: string[], assigned: Map<string, ReadonlyMap<string, readonly number[]>>) =>
    ids.map((memberId) => ({
      memberId,
      subscribed: ['t'],
      assigned: assigned.get(memberId) ?? new Map<string, number[]>(),
    }));
  const two = assign(members(['b', 'c'], new Map()), [{ ...TOPIC, partitions: 4 }]);
  const three = assign(members(['a', 'b', 'c'], two), [{ ...TOPIC, partitions: 4 }]);
  for (const id of ['b', 'c']) {
    const before = two.get(id)!.get(TOPIC.id)!;
    for (const partition of three.get(id)!.get(TOPIC.id)!) expect(before).toContain(partition);
  }
});

test('records of a group bring it back as it was, and its tombstones take it away', () => {
  const into = replayedGroup('g');
  const write = (records: ReturnType<typeof changesBetween>): void => {
    for (const { key, value } of records) {
      expect(groupIdOf(Buffer.from(key!))).toBe('g');
      replay(into, Buffer.from(key!), value && Buffer.from(value));
    }
  };
  let group = emptyShareGroup('g');
  const become = (next: ShareGroup): void => {
    write(changesBetween(group, next, 1));
    group = next;
    expect(into.group).toEqual({ ...group, topicsKey: '' });
  };
  become(join(group, 'a').group);
  become(join(group, 'b').group);
  const told = beat(group, 'a', 1);
  if ('errorCode' in told) throw new Error('refused');
  become(told.group);
  become(withoutMembers(group, ['b'], find));
  write([stateTopicsRecord('g', new Map([[TOPIC.id, { name: 't', partitions: [0, 1] }]]))]);
  expect(into).toMatchObject({
    isWhole: true,
    topics: new Map([[TOPIC.id, { name: 't', partitions: [0, 1] }]]),
  });
  become(withoutMembers(group, ['a'], find));
  write(tombstones(group));
  expect(into).toMatchObject({ isWhole: false, topics: new Map() });
});
