import { beforeEach, describe, expect, test } from 'vitest';

import { GroupDriver, RANGE, STICKY } from '../../test/support/group-driver.ts';
import { CODE } from '../wire/errors.ts';
import { nextDeadlineMs } from './group.ts';
import { NEW_MEMBER_JOIN_TIMEOUT_MS } from './member.ts';

let drive: GroupDriver;
beforeEach(() => {
  drive = new GroupDriver();
});

describe('joining', () => {
  test('the first member leads and alone gets the list of members', () => {
    const first = drive.join();
    expect(drive.joined(first)).toMatchObject({
      errorCode: 0,
      generation: 1,
      memberId: 'm1',
      leaderId: 'm1',
      protocol: 'range',
      protocolType: 'consumer',
      members: [{ memberId: 'm1', metadata: RANGE.metadata }],
    });
    const second = drive.join();
    const again = drive.join({ memberId: 'm1' });
    expect(drive.joined(second)).toMatchObject({ generation: 2, leaderId: 'm1', members: [] });
    expect(drive.joined(again)!.members.map(({ memberId }) => memberId)).toEqual(['m1', 'm2']);
  });

  test('v4: a member without an id gets one first and is pending for a session', () => {
    const first = drive.join({ memberIdRequired: true });
    expect(drive.joined(first)).toMatchObject({ errorCode: CODE.MEMBER_ID_REQUIRED, memberId: 'm1' });
    expect(drive.group.pending.has('m1')).toBe(true);
    const second = drive.join({ memberIdRequired: true, memberId: 'm1' });
    expect(drive.joined(second)).toMatchObject({ errorCode: 0, memberId: 'm1', generation: 1 });
    drive.join({ memberIdRequired: true });
    drive.at(10_000);
    expect(drive.group.pending.size).toBe(0);
  });

  test('a rebalance waits for the ids that were given out', () => {
    drive.stableTwo();
    drive.join({ memberIdRequired: true });
    const one = drive.join({ memberId: 'm1', protocols: [STICKY, RANGE] });
    const two = drive.join({ memberId: 'm2' });
    expect([drive.joined(one), drive.joined(two)]).toEqual([undefined, undefined]);
    drive.at(10_000);
    expect(drive.joined(one)).toMatchObject({ errorCode: 0, generation: 3 });
  });

  test('an unknown member id is refused', () => {
    expect(drive.joined(drive.join({ memberId: 'x' }))!.errorCode).toBe(CODE.UNKNOWN_MEMBER_ID);
  });

  test('the protocol is the one most members prefer among those that all support', () => {
    drive.join({ protocols: [STICKY, RANGE] });
    const second = drive.join({ protocols: [RANGE, STICKY] });
    drive.join({ memberId: 'm1', protocols: [RANGE] });
    expect(drive.joined(second)!.protocol).toBe('range');
  });

  const inconsistent = [
    { what: 'no protocol in common', given: { protocols: [STICKY] } },
    { what: 'another protocol type', given: { protocolType: 'connect' } },
    { what: 'no protocols', given: { protocols: [] } },
    { what: 'an empty protocol type', given: { protocolType: '' } },
  ];
  for (const { what, given } of inconsistent) {
    test(`${what} is refused with INCONSISTENT_GROUP_PROTOCOL`, () => {
      drive.join();
      expect(drive.joined(drive.join(given))!.errorCode).toBe(CODE.INCONSISTENT_GROUP_PROTOCOL);
    });
  }

  test('a full group takes no more', () => {
    drive.settings = { initialRebalanceDelayMs: 0, groupMaxSize: 1 };
    drive.join();
    expect(drive.joined(drive.join())!.errorCode).toBe(CODE.GROUP_MAX_SIZE_REACHED);
    expect(drive.joined(drive.join({ memberIdRequired: true }))!.errorCode).toBe(CODE.GROUP_MAX_SIZE_REACHED);
  });

  test('in Stable a follower with the same metadata gets the current generation, without a rebalance', () => {
    drive.stableTwo();
    const again = drive.join({ memberId: 'm2' });
    expect(drive.joined(again)).toMatchObject({ errorCode: 0, generation: 2, leaderId: 'm1', members: [] });
    expect(drive.group.phase).toBe('Stable');
  });

  test('in Stable the leader that joins again, or changed metadata, starts a rebalance', () => {
    drive.stableTwo();
    drive.join({ memberId: 'm1' });
    expect(drive.group.phase).toBe('PreparingRebalance');
    drive.join({ memberId: 'm2' });
    drive.sync('m1');
    drive.sync('m2');
    expect(drive.group.phase).toBe('Stable');
    drive.join({ memberId: 'm2', protocols: [{ ...RANGE, metadata: Buffer.from('other') }] });
    expect(drive.group.phase).toBe('PreparingRebalance');
  });

  test('while the assignment is awaited, the same join is answered the same again', () => {
    const first = drive.join();
    const again = drive.join({ memberId: 'm1' });
    expect({ ...drive.joined(again) }).toEqual({ ...drive.joined(first) });
    expect(drive.group.generation).toBe(1);
  });

  test('the join phase ends after the longest rebalance timeout and drops who did not come', () => {
    drive.stableTwo({ rebalanceTimeoutMs: 5_000, sessionTimeoutMs: 60_000 });
    const third = drive.join({ rebalanceTimeoutMs: 7_000, sessionTimeoutMs: 60_000 });
    const first = drive.join({ memberId: 'm1', rebalanceTimeoutMs: 5_000, sessionTimeoutMs: 60_000 });
    drive.at(6_999);
    expect(drive.joined(first)).toBeUndefined();
    drive.at(7_000);
    expect(drive.joined(first)!.members.map(({ memberId }) => memberId)).toEqual(['m1', 'm6']);
    expect(drive.joined(third)!.generation).toBe(3);
    expect(drive.heartbeat('m2')).toBe(CODE.UNKNOWN_MEMBER_ID);
  });

  test('who comes while the assignment is awaited is not put out by its session while it is parked', () => {
    drive.join({ rebalanceTimeoutMs: 60_000, sessionTimeoutMs: 300 });
    drive.at(10);
    const second = drive.join({ rebalanceTimeoutMs: 60_000, sessionTimeoutMs: 300 });
    drive.at(310);
    // The first is silent and goes; the second takes part.
    expect(drive.joined(second)).toMatchObject({ errorCode: 0, generation: 2, leaderId: 'm2' });
  });

  test('a parked join of a new member is given up after five minutes', () => {
    drive.stableTwo({ rebalanceTimeoutMs: 600_000, sessionTimeoutMs: 600_000 });
    const third = drive.join({ sessionTimeoutMs: 600_000, rebalanceTimeoutMs: 600_000 });
    drive.at(NEW_MEMBER_JOIN_TIMEOUT_MS - 1);
    expect(drive.joined(third)).toBeUndefined();
    drive.at(NEW_MEMBER_JOIN_TIMEOUT_MS);
    expect(drive.joined(third)!.errorCode).toBe(CODE.UNKNOWN_MEMBER_ID);
  });

  test('the initial delay is extended while members arrive, up to the rebalance timeout', () => {
    drive.settings = { initialRebalanceDelayMs: 3_000, groupMaxSize: 10 };
    const first = drive.join({ rebalanceTimeoutMs: 5_000 });
    drive.at(2_000);
    const second = drive.join({ rebalanceTimeoutMs: 5_000 });
    drive.at(3_000);
    expect(drive.joined(first)).toBeUndefined();
    drive.at(5_000);
    expect(drive.joined(first)).toMatchObject({ errorCode: 0, generation: 1 });
    expect(drive.joined(second)).toMatchObject({ errorCode: 0, generation: 1 });
  });
});

describe('syncing', () => {
  test('an assignment reaches the members only after it was stored', () => {
    drive.autoStore = false;
    drive.join();
    const sync = drive.sync('m1', { assign: { m1: 'part 0' } });
    expect(drive.synced(sync)).toBeUndefined();
    expect(drive.storing[0]!.value).toMatchObject({ generation: 1, leader: 'm1', protocol: 'range' });
    expect(Buffer.from(drive.storing[0]!.value.members[0]!.assignment).toString()).toBe('part 0');
    drive.finishStoring(0);
    expect(drive.synced(sync)).toMatchObject({ errorCode: 0, assignment: Buffer.from('part 0') });
    expect(drive.group.phase).toBe('Stable');
  });

  test('when the disk refuses the assignment, members hear it and join again', () => {
    drive.autoStore = false;
    drive.join();
    const sync = drive.sync('m1', { assign: { m1: 'part 0' } });
    drive.finishStoring(CODE.COORDINATOR_NOT_AVAILABLE);
    expect(drive.synced(sync)!.errorCode).toBe(CODE.COORDINATOR_NOT_AVAILABLE);
    expect(drive.group.phase).toBe('PreparingRebalance');
  });

  test('an assignment stored too late does not reach the next generation', () => {
    drive.autoStore = false;
    drive.join();
    drive.sync('m1', { assign: { m1: 'old' } });
    drive.join();
    drive.join({ memberId: 'm1' });
    expect(drive.group).toMatchObject({ phase: 'CompletingRebalance', generation: 2 });
    drive.finishStoring(0);
    expect(drive.group.phase).toBe('CompletingRebalance');
    expect([...drive.group.members.values()].every(({ assignment }) => assignment.length === 0)).toBe(true);
  });

  test('a member that the leader left out gets empty bytes', () => {
    drive.join();
    drive.join();
    drive.join({ memberId: 'm1' });
    const follower = drive.sync('m2');
    drive.sync('m1', { assign: { m1: 'all' } });
    expect(drive.synced(follower)).toMatchObject({ errorCode: 0, assignment: Buffer.alloc(0) });
  });

  test('in Stable a sync is answered with the current assignment', () => {
    drive.stableTwo();
    expect(Buffer.from(drive.synced(drive.sync('m2'))!.assignment).toString()).toBe('b');
  });

  const refused = [
    { what: 'an unknown member', act: () => drive.sync('x'), want: CODE.UNKNOWN_MEMBER_ID },
    {
      what: 'an old generation',
      act: () => drive.sync('m1', { generation: 1 }),
      want: CODE.ILLEGAL_GENERATION,
    },
    {
      what: 'another protocol',
      act: () => drive.sync('m1', { protocol: 'sticky' }),
      want: CODE.INCONSISTENT_GROUP_PROTOCOL,
    },
    {
      what: 'a sync in the join phase',
      act: () => {
        drive.join();
        return drive.sync('m1');
      },
      want: CODE.REBALANCE_IN_PROGRESS,
    },
  ];
  for (const { what, act, want } of refused) {
    test(`${what} is refused`, () => {
      drive.stableTwo();
      expect(drive.synced(act())!.errorCode).toBe(want);
    });
  }

  test('a rebalance timeout of 0 leaves a session to sync in', () => {
    drive.join({ rebalanceTimeoutMs: 0 });
    drive.at(9_000);
    const sync = drive.sync('m1', { assign: { m1: 'x' } });
    expect(drive.synced(sync)!.errorCode).toBe(0);
  });

  test('who joined and never synced is removed, and the rest rebalances', () => {
    drive.join({ sessionTimeoutMs: 600_000, rebalanceTimeoutMs: 1_000 });
    drive.join({ sessionTimeoutMs: 5_000, rebalanceTimeoutMs: 1_000 });
    drive.join({ memberId: 'm1', sessionTimeoutMs: 5_000, rebalanceTimeoutMs: 1_000 });
    drive.sync('m1', { assign: { m1: 'a', m2: 'b' } });
    expect(drive.group.phase).toBe('Stable');
    drive.now = 4_000;
    drive.heartbeat('m1');
    drive.heartbeat('m2');
    drive.at(5_000);
    expect(drive.group.members.has('m2')).toBe(false);
    expect(drive.group.phase).toBe('PreparingRebalance');
  });
});

describe('heartbeats', () => {
  test('are fine in Stable and while the assignment is awaited, else say what is wrong', () => {
    drive.stableTwo();
    expect(drive.heartbeat('m1')).toBe(CODE.NONE);
    expect(drive.heartbeat('m1', 1)).toBe(CODE.ILLEGAL_GENERATION);
    expect(drive.heartbeat('x')).toBe(CODE.UNKNOWN_MEMBER_ID);
    drive.join();
    expect(drive.heartbeat('m1')).toBe(CODE.REBALANCE_IN_PROGRESS);
    drive.join({ memberId: 'm1' });
    drive.join({ memberId: 'm2' });
    expect(drive.group.phase).toBe('CompletingRebalance');
    expect(drive.heartbeat('m2')).toBe(CODE.NONE);
  });

  test('a join, a sync and a commit keep a member too', () => {
    drive.stableTwo({ rebalanceTimeoutMs: 5_000 });
    drive.at(9_000);
    drive.sync('m1');
    drive.event({ kind: 'seen', memberId: 'm2' });
    drive.at(18_000);
    expect([...drive.group.members.keys()]).toEqual(['m1', 'm2']);
    drive.join({ memberId: 'm2' });
    drive.at(19_001);
    expect([...drive.group.members.keys()]).toEqual(['m2']);
  });

  test('keep a member; without them it expires after its session', () => {
    drive.stableTwo();
    drive.now = 9_000;
    drive.heartbeat('m1');
    drive.at(10_000);
    expect([...drive.group.members.keys()]).toEqual(['m1']);
    expect(nextDeadlineMs(drive.group)).toBe(19_000);
  });
});

describe('leaving', () => {
  test('starts a rebalance; the last one leaves an empty group, which is stored', () => {
    drive.stableTwo();
    expect(drive.leave({ memberId: 'm2', instanceId: null })).toEqual([0]);
    expect(drive.group.phase).toBe('PreparingRebalance');
    expect(drive.leave({ memberId: 'm1', instanceId: null })).toEqual([0]);
    expect(drive.group).toMatchObject({ phase: 'Empty', generation: 3, protocol: null });
    expect(drive.stored.at(-1)).toMatchObject({ members: [], generation: 3 });
  });

  test('answers each member alone', () => {
    drive.stableTwo();
    expect(drive.leave({ memberId: 'x', instanceId: null }, { memberId: 'm2', instanceId: null })).toEqual([
      CODE.UNKNOWN_MEMBER_ID,
      0,
    ]);
  });

  test('a pending id can be given back', () => {
    drive.join({ memberIdRequired: true });
    expect(drive.leave({ memberId: 'm1', instanceId: null })).toEqual([0]);
    expect(drive.group.pending.size).toBe(0);
  });

  test('another leads when the leader leaves', () => {
    drive.stableTwo();
    drive.leave({ memberId: 'm1', instanceId: null });
    const again = drive.join({ memberId: 'm2' });
    expect(drive.joined(again)).toMatchObject({ leaderId: 'm2', errorCode: 0 });
  });
});

describe('static members', () => {
  const one = { instanceId: 'i1' };

  test('a restarted instance takes over place and assignment without a rebalance, and fences its old id', () => {
    drive.join(one);
    drive.sync('m1', { instanceId: 'i1', assign: { m1: 'mine' } });
    const back = drive.join(one);
    expect(drive.joined(back)).toMatchObject({ errorCode: 0, generation: 1 });
    expect(drive.joined(back)!.memberId).not.toBe('m1');
    expect(drive.group).toMatchObject({ phase: 'Stable', generation: 1 });
    const { memberId } = drive.joined(back)!;
    expect(Buffer.from(drive.group.members.get(memberId)!.assignment).toString()).toBe('mine');
    expect(drive.heartbeat('m1', 1, 'i1')).toBe(CODE.FENCED_INSTANCE_ID);
    expect(drive.synced(drive.sync('m1', { instanceId: 'i1' }))!.errorCode).toBe(CODE.FENCED_INSTANCE_ID);
    expect(drive.joined(drive.join({ ...one, memberId: 'm1' }))!.errorCode).toBe(CODE.FENCED_INSTANCE_ID);
  });

  test('v9: a leader that came back is told to skip the assignment; before, it is told of its old id', () => {
    drive.join(one);
    drive.sync('m1', { instanceId: 'i1', assign: { m1: 'mine' } });
    const old = drive.joined(drive.join(one))!;
    expect(old).toMatchObject({ skipAssignment: false, leaderId: 'm1', members: [] });
    const skipping = drive.joined(drive.join({ ...one, canSkipAssignment: true }))!;
    expect(skipping).toMatchObject({ skipAssignment: true, leaderId: skipping.memberId });
    expect(skipping.members).toHaveLength(1);
  });

  test('changed metadata that changes the protocol does rebalance', () => {
    drive.join({ ...one, protocols: [RANGE, STICKY] });
    drive.sync('m1', { instanceId: 'i1', assign: { m1: 'mine' } });
    const back = drive.join({ ...one, protocols: [STICKY] });
    expect(drive.joined(back)).toMatchObject({ generation: 2, protocol: 'sticky' });
  });

  test('is kept through a join phase that it misses, and goes when its session ends', () => {
    drive.join({ ...one, sessionTimeoutMs: 90_000 });
    drive.join({ sessionTimeoutMs: 90_000 });
    const second = drive.join({ sessionTimeoutMs: 90_000 });
    drive.at(60_000);
    expect(drive.joined(second)!.errorCode).toBe(0);
    expect([...drive.group.members.keys()]).toContain('m1');
    drive.at(90_000);
    expect([...drive.group.members.keys()]).not.toContain('m1');
  });

  test('leaves by instance alone, or with its current id', () => {
    drive.join(one);
    expect(drive.leave({ memberId: 'x', instanceId: 'i1' })).toEqual([CODE.FENCED_INSTANCE_ID]);
    expect(drive.leave({ memberId: '', instanceId: 'i2' })).toEqual([CODE.UNKNOWN_MEMBER_ID]);
    expect(drive.leave({ memberId: '', instanceId: 'i1' })).toEqual([0]);
    expect(drive.group.phase).toBe('Empty');
  });
});

test('stopping answers what is parked with a retriable code', () => {
  drive.stableTwo();
  const parked = drive.join();
  drive.event({ kind: 'stop', errorCode: CODE.COORDINATOR_NOT_AVAILABLE });
  expect(drive.joined(parked)!.errorCode).toBe(CODE.COORDINATOR_NOT_AVAILABLE);
});
