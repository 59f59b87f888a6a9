import { inspect } from 'node:util';

import fc from 'fast-check';
import { expect, test } from 'vitest';

import { GroupDriver, RANGE, STICKY } from '../../test/support/group-driver.ts';
import { nextDeadlineMs } from './group.ts';

const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_122);

/** What clients, time and disk may do, in any order. `who` picks among the ids that were ever given out. */
const action = fc.oneof(
  fc.record({
    kind: fc.constant('join' as const),
    who: fc.nat(6),
    fresh: fc.boolean(),
    required: fc.boolean(),
    both: fc.boolean(),
    instance: fc.option(fc.nat(2)),
  }),
  fc.record({ kind: fc.constant('sync' as const), who: fc.nat(6), stale: fc.boolean() }),
  fc.record({ kind: fc.constant('heartbeat' as const), who: fc.nat(6) }),
  fc.record({ kind: fc.constant('leave' as const), who: fc.nat(6) }),
  fc.record({ kind: fc.constant('disk' as const), fails: fc.boolean() }),
  fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 20_000 }) }),
);
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

test('no sequence of requests, time and disk failures breaks the group', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), fc.constantFrom(0, 3_000), (actions, delayMs) => {
      const drive = new GroupDriver();
      drive.autoStore = false;
      drive.settings = { initialRebalanceDelayMs: delayMs, groupMaxSize: 5 };
      const ids: string[] = [];
      const parked = new Set<number>();
      let generation = 0;
      for (const one of actions) {
        const before = inspect(drive.group, { depth: 9 });
        const held = drive.group;
        act(drive, one, ids, parked);
        expect(inspect(held, { depth: 9 })).toBe(before);
        for (const token of parked) {
          const answer = drive.joined(token);
          if (!answer) continue;
          parked.delete(token);
          if (answer.memberId !== '' && !ids.includes(answer.memberId)) ids.push(answer.memberId);
        }
        expect(broken(drive, generation, parked)).toEqual([]);
        ({ generation } = drive.group);
      }
      settle(drive);
      expect(broken(drive, generation, new Set())).toEqual([]);
      // With time and disk going on, nobody waits for ever.
      expect([...parked].filter((token) => !drive.answers.has(token))).toEqual([]);
      expect(drive.group).toMatchObject({ phase: 'Empty' });
      expect(drive.group.members.size + drive.group.pending.size).toBe(0);
    }),
    { seed, numRuns: 400 },
  );
});

function act(drive: GroupDriver, one: Action, ids: readonly string[], parked: Set<number>): void {
  const memberId = ids[('who' in one ? one.who : 0) % Math.max(1, ids.length)] ?? '';
  const instanceId = drive.group.members.get(memberId)?.instanceId ?? null;
  switch (one.kind) {
    case 'join':
      parked.add(
        drive.join({
          memberId: one.fresh ? '' : memberId,
          instanceId: one.fresh && one.instance !== null ? `i${one.instance}` : one.fresh ? null : instanceId,
          memberIdRequired: one.required,
          protocols: one.both ? [STICKY, RANGE] : [RANGE],
          rebalanceTimeoutMs: 5_000,
        }),
      );
      break;
    case 'sync': {
      const assign = Object.fromEntries([...drive.group.members.keys()].map((id) => [id, 'x']));
      const generation = drive.group.generation - (one.stale ? 1 : 0);
      parked.add(drive.sync(memberId, { generation, instanceId, assign }));
      break;
    }
    case 'heartbeat':
      drive.heartbeat(memberId);
      break;
    case 'leave':
      drive.leave({ memberId, instanceId: null });
      break;
    case 'disk':
      drive.finishStoring(one.fails ? 15 : 0);
      break;
    case 'time':
      drive.at(drive.now + one.ms);
      break;
  }
}

/** What must hold after every step, in words, where it does not. */
function broken(drive: GroupDriver, generationBefore: number, parked: ReadonlySet<number>): string[] {
  const { group } = drive;
  const { phase } = group;
  const members = [...group.members.values()];
  const isSettled = phase === 'Stable' || phase === 'CompletingRebalance';
  const instances = members.flatMap(({ instanceId }) => instanceId ?? []);
  const known = new Set([
    ...members.flatMap(({ joining, syncing }) => [joining, syncing]),
    ...[...group.storing.values()].map((one) => (one.kind === 'static-join' ? one.to : undefined)),
  ]);
  const rules: Array<[what: string, holds: boolean]> = [
    ['the generation never falls', group.generation >= generationBefore],
    ['an empty group has no members', phase !== 'Empty' || members.length === 0],
    ['a generation has a leader', !isSettled || group.members.has(group.leaderId ?? '')],
    [
      'all members support the protocol',
      !isSettled || members.every(({ protocols }) => protocols.some(({ name }) => name === group.protocol)),
    ],
    [
      'nobody joins outside of the join phase',
      !isSettled || members.every(({ joining }) => joining === undefined),
    ],
    ['nobody waits in Stable', phase !== 'Stable' || members.every(({ syncing }) => syncing === undefined)],
    ['an instance is one member', new Set(instances).size === instances.length],
    [
      'what is not answered is known to wait',
      [...parked].every((token) => drive.answers.has(token) || known.has(token)),
    ],
    [
      'who waits for time has a deadline',
      (members.length === 0 && group.pending.size === 0) || nextDeadlineMs(group) !== undefined,
    ],
  ];
  return rules.flatMap(([what, holds]) => (holds ? [] : [what]));
}

/** Lets time pass and the disk work until nothing is left to happen. */
function settle(drive: GroupDriver): void {
  for (let i = 0; i < 1_000; i += 1) {
    drive.finishStoring(0);
    const deadlineMs = nextDeadlineMs(drive.group);
    if (deadlineMs === undefined) return;
    drive.at(Math.max(drive.now, deadlineMs));
  }
  throw new Error(`the group does not come to rest: ${drive.group.phase}`);
}
