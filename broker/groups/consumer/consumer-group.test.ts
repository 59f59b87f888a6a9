import { beforeEach, describe, expect, test } from 'vitest';

import { ConsumerDriver, owned, refusedWith, spelled } from '../../../test/support/consumer-driver.ts';
import { CODE } from '../../wire/errors.ts';
import { consumerDeadlineMs, consumerPhase } from './consumer-group.ts';

let drive: ConsumerDriver;
beforeEach(() => {
  drive = new ConsumerDriver();
  drive.topics.set('t', 4);
  drive.topics.set('u', 2);
});

describe('joining and staying', () => {
  test('epoch 0 joins: the member has all partitions at once, in epoch 1', () => {
    const answer = drive.join('a');
    expect(answer).toMatchObject({ memberId: 'a', memberEpoch: 1, heartbeatIntervalMs: 5_000 });
    expect(spelled(answer.assignment)).toBe('t-0,1,2,3');
    expect(consumerPhase(drive.consumer)).toBe('Stable');
  });

  test('v0: a member without an id is given one', () => {
    expect(drive.join('').memberId).toBe('fresh');
  });

  test('an incremental heartbeat is told its assignment only when that has changed', () => {
    drive.join('a');
    expect(drive.beat('a').assignment).toBeNull();
    drive.topics.set('t', 5);
    expect(spelled(drive.beat('a').assignment)).toBe('t-0,1,2,3,4');
    expect(drive.beat('a').assignment).toBeNull();
  });

  test('a full heartbeat is always told its assignment', () => {
    drive.join('a');
    const full = { memberEpoch: 1, rebalanceTimeoutMs: 10_000, topics: ['t'], owned: owned('t-0') };
    expect(drive.heartbeat('a', full)).toMatchObject({ assignment: expect.anything() });
  });

  test('a member that changes its topics gets a new epoch, and gives up what it no longer reads first', () => {
    drive.join('a');
    const changed = drive.heartbeat('a', { memberEpoch: 1, topics: ['u'], owned: owned('t-0,1,2,3') });
    expect(changed).toMatchObject({ memberEpoch: 1 });
    expect(drive.has('a')).toBe('');
    expect(drive.beat('a', '')).toMatchObject({ memberEpoch: 2 });
    expect(drive.has('a')).toBe('u-0,1');
  });

  test('topics that come, grow and go raise the group epoch at the next heartbeat', () => {
    drive.join('a', { topics: ['t', 'new'] });
    const epochs = [drive.consumer.epoch];
    for (const change of [
      () => drive.topics.set('new', 1),
      () => drive.topics.set('new', 2),
      () => drive.topics.delete('new'),
      () => drive.topics.set('unread', 1),
    ]) {
      change();
      drive.beat('a', drive.has('a'));
      epochs.push(drive.consumer.epoch);
    }
    expect(epochs).toEqual([1, 2, 3, 4, 4]);
  });

  test('members that rejoin with epoch 0 keep their place', () => {
    drive.join('a');
    expect(drive.join('a')).toMatchObject({ memberEpoch: 1 });
    expect(drive.consumer).toMatchObject({ epoch: 1, members: { size: 1 } });
  });

  test('the group is full: GROUP_MAX_SIZE_REACHED, but not for those who are in it', () => {
    drive.settings = { ...drive.settings, groupMaxSize: 1 };
    drive.join('a');
    const join = { rebalanceTimeoutMs: 1, topics: ['t'], owned: owned('') };
    expect(refusedWith(drive.heartbeat('b', join))).toBe(CODE.GROUP_MAX_SIZE_REACHED);
    expect(refusedWith(drive.heartbeat('a', join))).toBe(0);
  });
});

describe('reconciling', () => {
  test('revoke first, acknowledged by what the member still names, only then assigned to the other', () => {
    drive.join('a');
    const b = drive.join('b');
    expect(b).toMatchObject({ memberEpoch: 2 });
    expect(spelled(b.assignment)).toBe('');
    expect(consumerPhase(drive.consumer)).toBe('Reconciling');
    const asked = drive.beat('a');
    expect(asked).toMatchObject({ memberEpoch: 1 });
    expect(spelled(asked.assignment)).toBe('t-0,1');
    // Still naming what was asked back, or saying nothing: nothing moves.
    expect(drive.beat('a', 't-0,1,2').memberEpoch).toBe(1);
    expect(drive.beat('a').memberEpoch).toBe(1);
    expect(spelled(drive.beat('b').assignment)).toBe('as before');
    expect(drive.beat('a', 't-0,1').memberEpoch).toBe(2);
    expect(spelled(drive.beat('b').assignment)).toBe('t-2,3');
    expect(consumerPhase(drive.consumer)).toBe('Stable');
  });

  test('a partition that comes back before it was given up stays where it is', () => {
    drive.join('a');
    drive.join('b');
    drive.beat('a');
    drive.heartbeat('b', { memberEpoch: -1 });
    expect(drive.beat('a', 't-0,1').memberEpoch).toBe(3);
    expect(drive.has('a')).toBe('t-0,1,2,3');
  });

  test('partitions that are free are had while others are waited for', () => {
    drive.join('a', { topics: ['t'] });
    drive.join('b', { topics: ['t', 'u'] });
    expect(drive.has('b')).toBe('u-0,1');
    expect(drive.consumer.members.get('b')!.current.state).toBe('unreleased');
  });

  test('who does not give up within its rebalance timeout is put out', () => {
    drive.join('a', { rebalanceTimeoutMs: 8_000 });
    drive.join('b');
    drive.beat('a');
    drive.at(7_999);
    expect(drive.consumer.members.has('a')).toBe(true);
    drive.beat('a');
    drive.at(8_000);
    expect(drive.consumer.members.has('a')).toBe(false);
    expect(consumerPhase(drive.consumer)).toBe('Assigning');
    expect(spelled(drive.beat('b').assignment)).toBe('t-0,1,2,3');
  });

  test('who gives up in time is not put out', () => {
    drive.join('a', { rebalanceTimeoutMs: 8_000 });
    drive.join('b');
    drive.beat('a');
    drive.beat('a', 't-0,1');
    drive.at(8_000);
    expect(drive.consumer.members.has('a')).toBe(true);
  });
});

describe('leaving', () => {
  test('epoch -1 leaves: the others have all with their next heartbeat', () => {
    drive.join('a');
    drive.join('b');
    expect(drive.heartbeat('a', { memberEpoch: -1 })).toMatchObject({
      memberId: 'a',
      memberEpoch: -1,
      heartbeatIntervalMs: 0,
      assignment: null,
    });
    expect(consumerPhase(drive.consumer)).toBe('Assigning');
    expect(spelled(drive.beat('b').assignment)).toBe('t-0,1,2,3');
    drive.heartbeat('b', { memberEpoch: -1 });
    expect(consumerPhase(drive.consumer)).toBe('Empty');
    expect(consumerDeadlineMs(drive.consumer)).toBeUndefined();
  });

  test('a session without heartbeats ends', () => {
    drive.join('a');
    drive.at(44_999);
    drive.beat('a');
    drive.at(45_000);
    expect(drive.consumer.members.size).toBe(1);
    drive.at(44_999 + 45_000);
    expect(drive.consumer.members.size).toBe(0);
  });

  test('epoch -2 of a static member: its partitions stay its own until its session ends', () => {
    drive.join('a', { instanceId: 'i' });
    drive.join('b');
    drive.beat('a', 't-0,1');
    drive.beat('b');
    const left = drive.heartbeat('a', { memberEpoch: -2, instanceId: 'i' });
    expect(left).toMatchObject({ memberEpoch: -2 });
    expect(drive.beat('b').assignment).toBeNull();
    const { epoch } = drive.consumer;
    const back = drive.join('c', { instanceId: 'i' });
    expect(spelled(back.assignment)).toBe('t-0,1');
    expect(drive.consumer).toMatchObject({ epoch, members: { size: 2 } });
    drive.heartbeat('c', { memberEpoch: -2, instanceId: 'i' });
    drive.now += 44_000;
    drive.beat('b');
    drive.at(drive.now + 1_000);
    expect(drive.consumer.members.has('c')).toBe(false);
    expect(spelled(drive.beat('b').assignment)).toBe('t-0,1,2,3');
  });
});

describe('errors', () => {
  test('FENCED_MEMBER_EPOCH: a greater epoch, and a smaller one but for the retry of a lost answer', () => {
    drive.join('a');
    drive.join('b');
    drive.beat('a');
    drive.beat('a', 't-0,1');
    const as = (memberEpoch: number, text: string) =>
      refusedWith(drive.heartbeat('a', { memberEpoch, owned: owned(text) }));
    expect(as(3, 't-0,1')).toBe(CODE.FENCED_MEMBER_EPOCH);
    expect(as(1, 't-0,1')).toBe(0);
    expect(as(1, 't-0,1,2')).toBe(CODE.FENCED_MEMBER_EPOCH);
    expect(refusedWith(drive.heartbeat('a', { memberEpoch: 1 }))).toBe(CODE.FENCED_MEMBER_EPOCH);
  });

  test('UNKNOWN_MEMBER_ID: a member or an instance that is not there', () => {
    drive.join('a');
    for (const given of [
      { memberEpoch: 1 },
      { memberEpoch: -1 },
      { memberEpoch: 1, instanceId: 'i' },
      { memberEpoch: -2, instanceId: 'i' },
    ]) {
      expect(refusedWith(drive.heartbeat('x', given))).toBe(CODE.UNKNOWN_MEMBER_ID);
    }
  });

  test('UNRELEASED_INSTANCE_ID: the instance is still there; FENCED_INSTANCE_ID: it is another now', () => {
    drive.join('a', { instanceId: 'i' });
    const join = { instanceId: 'i', rebalanceTimeoutMs: 1, topics: ['t'], owned: owned('') };
    expect(refusedWith(drive.heartbeat('b', join))).toBe(CODE.UNRELEASED_INSTANCE_ID);
    drive.heartbeat('a', { memberEpoch: -2, instanceId: 'i' });
    expect(refusedWith(drive.heartbeat('b', join))).toBe(0);
    for (const memberEpoch of [1, -1, -2]) {
      const answer = drive.heartbeat('a', { memberEpoch, instanceId: 'i' });
      expect(refusedWith(answer)).toBe(CODE.FENCED_INSTANCE_ID);
    }
  });

  test('a refused request changes nothing', () => {
    drive.join('a');
    const before = drive.group;
    drive.heartbeat('a', { memberEpoch: 9, topics: ['u'] });
    expect(drive.group).toBe(before);
  });
});

describe('patterns', () => {
  test('stand for the topics that match as a whole, and for those that come later', () => {
    const answer = drive.join('a', { regex: '[a-t]|v.*' });
    expect(spelled(answer.assignment)).toBe('t-0,1,2,3');
    drive.topics.set('v1', 1);
    expect(spelled(drive.beat('a').assignment)).toBe('t-0,1,2,3 v1-0');
    drive.topics.delete('v1');
    drive.beat('a', 't-0,1,2,3');
    expect(drive.has('a')).toBe('t-0,1,2,3');
  });

  test('add to the names that a member gives beside', () => {
    drive.join('a', { topics: ['u'], regex: 't' });
    expect(drive.has('a')).toBe('t-0,1,2,3 u-0,1');
  });

  test('show only what the client may see', () => {
    drive.join('a', { regex: '.', maySee: (topic) => topic === 'u' });
    expect(drive.has('a')).toBe('u-0,1');
  });

  test('INVALID_REGULAR_EXPRESSION: no RE2', () => {
    const join = { rebalanceTimeoutMs: 1, owned: owned('') };
    for (const regex of ['(', '(?<=a)b', '\\1']) {
      expect(refusedWith(drive.heartbeat('a', { ...join, regex }))).toBe(CODE.INVALID_REGULAR_EXPRESSION);
    }
  });

  test('are forgotten with the last member that used them, and when it takes another', () => {
    drive.join('a', { regex: 't' });
    drive.join('b', { regex: 't' });
    drive.heartbeat('a', { memberEpoch: 1, regex: '' });
    expect([...drive.consumer.regexes.keys()]).toEqual(['t']);
    drive.heartbeat('b', { memberEpoch: -1 });
    expect([...drive.consumer.regexes.keys()]).toEqual([]);
  });
});
