import assert from 'node:assert/strict';

import fc from 'fast-check';
import { expect, test } from 'vitest';

import { ConsumerDriver, owned, spelled, subscriptionBytes } from '../../../test/support/consumer-driver.ts';
import type { ConsumerEvent } from './consumer-events.ts';
import { type ConsumerGroup, consumerPhase } from './consumer-group.ts';
import { changes } from './consumer-records.ts';
import { ConsumerReplay } from './consumer-replay.ts';

const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_122);

const who = fc.constantFrom('a', 'b', 'c');
/** What clients, time and administrators may do, in any order; `says`: whether the client tells what it owns. */
const action = fc.oneof(
  fc.record({ kind: fc.constant('join' as const), who, topics: fc.subarray(['t', 'u', 'v']) }),
  fc.record({ kind: fc.constant('beat' as const), who, says: fc.boolean() }),
  fc.record({ kind: fc.constant('beat' as const), who, says: fc.constant(true) }),
  fc.record({ kind: fc.constant('leave' as const), who }),
  fc.record({ kind: fc.constant('away' as const), who }),
  fc.record({ kind: fc.constant('classic' as const), who }),
  fc.record({ kind: fc.constant('time' as const), ms: fc.constantFrom(1_000, 9_000, 30_000) }),
  fc.record({ kind: fc.constant('topic' as const), name: fc.constantFrom('t', 'u'), size: fc.nat(4) }),
);
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

test('a partition has one owner at any time, epochs never fall, records tell all, and it comes to rest', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      expect(run(actions)).toBe(true);
    }),
    { seed, numRuns: 150 },
  );
});

test('so does every sequence of five of six steps, two members and a classic one that converts', () => {
  const steps: Action[] = [
    { kind: 'join', who: 'a', topics: ['t'] },
    { kind: 'join', who: 'b', topics: ['t'] },
    { kind: 'beat', who: 'a', says: true },
    { kind: 'leave', who: 'b' },
    { kind: 'classic', who: 'c' },
    { kind: 'time', ms: 30_000 },
  ];
  for (let order = 0; order < steps.length ** 4; order += 1) {
    let rest = order;
    const some: Action[] = [steps[0]!];
    for (let i = 0; i < 4; i += 1) {
      some.push(steps[rest % steps.length]!);
      rest = Math.floor(rest / steps.length);
    }
    expect(run(some)).toBe(true);
  }
});

/** True when everything held; else it throws. */
function run(actions: readonly Action[]): boolean {
  const drive = new ConsumerDriver();
  drive.topics.set('t', 3);
  drive.topics.set('u', 2);
  const replay = new ConsumerReplay();
  for (const one of actions) {
    if (drive.group.type === 'classic') return true;
    const before = drive.group;
    act(drive, one);
    const after: ConsumerGroup | { type: 'classic' } = drive.group;
    if (after.type !== 'consumer') return true;
    check(before, after);
    for (const record of changes(before, after)) replay.apply(asRead(record));
    if (after.epoch > 0) assert.deepEqual(toldBy([...replay.groups()][0]!), toldBy(after));
  }
  settle(drive);
  return true;
}

function asRead({ key, value }: ReturnType<typeof changes>[number]) {
  return { offset: 0, timestampMs: 0, key: key && Buffer.from(key), value: value && Buffer.from(value) };
}

function act(drive: ConsumerDriver, one: Action): void {
  if (one.kind === 'time') return drive.at(drive.now + one.ms);
  if (one.kind === 'topic') return drive.topics.set(one.name, one.size);
  const member = drive.consumer.members.get(one.who);
  const isClassic = (member?.about.classic ?? null) !== null;
  switch (one.kind) {
    case 'join':
      drive.heartbeat(one.who, {
        rebalanceTimeoutMs: 20_000,
        topics: one.topics,
        owned: new Map(),
        instanceId: `i-${one.who}`,
      });
      break;
    case 'beat':
      if (isClassic) drive.classicBeat(one.who, member!.current.epoch);
      else if (member) {
        drive.heartbeat(one.who, {
          memberEpoch: member.current.epoch,
          owned: one.says ? owned(drive.has(one.who)) : null,
        });
      }
      break;
    case 'leave':
      drive.heartbeat(one.who, { memberEpoch: -1 });
      break;
    case 'away':
      drive.heartbeat(one.who, { memberEpoch: -2, instanceId: `i-${one.who}` });
      break;
    case 'classic': {
      if (!isClassic && member) break;
      const text = member ? drive.has(one.who) : '';
      drive.event(classicJoin(one.who, text));
      const joined = drive.group.type === 'consumer' ? drive.group.members.get(one.who) : undefined;
      if (joined) drive.classicSync(one.who, joined.current.epoch);
      break;
    }
  }
}

function classicJoin(memberId: string, ownedText: string): ConsumerEvent {
  return {
    kind: 'classic-join',
    memberId,
    freshMemberId: 'fresh',
    instanceId: null,
    clientId: 'c',
    clientHost: '/h',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 20_000,
    protocolType: 'consumer',
    protocols: [{ name: 'cooperative', metadata: subscriptionBytes(['t', 'u'], ownedText) }],
    memberIdRequired: false,
    canSkipAssignment: false,
    maySee: () => true,
  };
}

function check(before: ConsumerGroup, after: ConsumerGroup): void {
  const holders = new Set<string>();
  for (const { current } of after.members.values()) {
    for (const holding of [current.assigned, current.revoking]) {
      for (const [id, partitions] of holding) {
        for (const partition of partitions.keys()) {
          const place = `${id}-${partition}`;
          assert(!holders.has(place), `${place} has two owners`);
          holders.add(place);
        }
      }
    }
  }
  assert(after.epoch >= before.epoch);
  assert(after.assignmentEpoch >= before.assignmentEpoch);
  assert(after.assignmentEpoch <= after.epoch);
  for (const { current } of after.members.values()) assert(current.epoch <= after.epoch);
}

/** Everybody heartbeats and does what it is told, until nothing changes any more. */
function settle(drive: ConsumerDriver): void {
  for (let round = 0; round < 12 && drive.group.type === 'consumer'; round += 1) {
    const { epoch } = drive.consumer;
    for (const { memberId, about, current } of drive.consumer.members.values()) {
      if (current.epoch === -2) drive.heartbeat(memberId, { memberEpoch: -1, instanceId: about.instanceId });
    }
    if (drive.group.type !== 'consumer') return;
    for (const memberId of drive.consumer.members.keys()) {
      const kind = drive.consumer.members.get(memberId)!.about.classic ? 'classic' : 'beat';
      act(drive, { kind, who: memberId as 'a', says: true } as Action);
      if (drive.group.type !== 'consumer') return;
    }
    const isAtRest = consumerPhase(drive.consumer) === 'Stable' || drive.consumer.members.size === 0;
    if (isAtRest && drive.consumer.epoch === epoch) break;
  }
  const { group } = drive;
  if (group.type !== 'consumer') return;
  assert(['Stable', 'Empty'].includes(consumerPhase(group)));
  const had = [...group.members.keys()].flatMap((memberId) => pieces(drive.has(memberId)));
  const read = new Set([...group.members.values()].flatMap(({ about }) => about.topics));
  const wanted = ['t', 'u'].flatMap((topic) =>
    read.has(topic)
      ? Array.from({ length: drive.topics.byName(topic)!.partitions }, (_, at) => `${topic}-${at}`)
      : [],
  );
  assert.deepEqual(had.toSorted(), wanted.toSorted());
}

/** `t-0,1` is `t-0` and `t-1`. */
function pieces(text: string): string[] {
  return text.split(' ').flatMap((one) => {
    const [topic, some] = one.split('-');
    return some === undefined ? [] : some.split(',').map((partition) => `${topic}-${partition}`);
  });
}

/** What a restart has to know. */
function toldBy(group: ConsumerGroup): unknown {
  return {
    epochs: [group.epoch, group.assignmentEpoch, group.metadataHash],
    members: [...group.members.values()]
      .map(({ memberId, about, current }) => ({
        memberId,
        topics: about.topics,
        instanceId: about.instanceId,
        isClassic: about.classic !== null,
        ...current,
        assigned: spelled(current.assigned),
        revoking: spelled(current.revoking),
        target: spelled(group.target.get(memberId) ?? new Map()),
      }))
      .toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1)),
  };
}
