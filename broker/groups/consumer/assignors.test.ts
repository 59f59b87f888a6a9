import fc from 'fast-check';
import { expect, test } from 'vitest';

import { spelled } from '../../../test/support/consumer-driver.ts';
import { ASSIGNORS } from './assignors.ts';
import type { Partitions } from './partitions.ts';
import type { AssignorMember } from './shares.ts';

const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_122);

function member(memberId: string, topics: string[], target: Partitions = new Map()): AssignorMember {
  return { memberId, topics: new Set(topics.map((one) => `#${one}`)), target };
}

function assign(name: string, members: readonly AssignorMember[], counts: Record<string, number>) {
  return ASSIGNORS.get(name)!(members, (id) => counts[id.slice(1)] ?? 0);
}

test('range: runs of each topic in the order of member ids, the same for topics of the same size', () => {
  const shares = assign('range', [member('b', ['t', 'u']), member('a', ['t', 'u'])], { t: 5, u: 5 });
  expect(spelled(shares.get('a')!)).toBe('t-0,1,2 u-0,1,2');
  expect(spelled(shares.get('b')!)).toBe('t-3,4 u-3,4');
});

test('uniform: a member that comes takes no more than it must, one that goes leaves all', () => {
  const one = assign('uniform', [member('a', ['t'])], { t: 5 });
  const two = assign('uniform', [member('a', ['t'], one.get('a')!), member('b', ['t'])], { t: 5 });
  expect(spelled(two.get('a')!)).toBe('t-0,1,2');
  expect(spelled(two.get('b')!)).toBe('t-3,4');
  const left = assign('uniform', [member('b', ['t'], two.get('b')!)], { t: 5 });
  expect(spelled(left.get('b')!)).toBe('t-0,1,2,3,4');
});

const scenario = fc.record({
  counts: fc.dictionary(fc.constantFrom('t', 'u', 'v'), fc.nat(6), { minKeys: 1, noNullPrototype: true }),
  members: fc.array(fc.subarray(['t', 'u', 'v']), { minLength: 1, maxLength: 5 }),
  before: fc.array(fc.tuple(fc.nat(4), fc.constantFrom('t', 'u', 'v'), fc.nat(7)), { maxLength: 20 }),
});

for (const name of ASSIGNORS.keys()) {
  test(`${name}: every partition that is read has one owner, who reads it, whatever there was before`, () => {
    fc.assert(
      fc.property(scenario, ({ counts, members: subscriptions, before }) => {
        const members = withTargets(subscriptions, before, counts);
        const shares = assign(name, members, counts);
        const given: string[] = [];
        for (const { memberId, topics } of members) {
          for (const [id, partitions] of shares.get(memberId)!) {
            expect(topics.has(id)).toBe(true);
            for (const partition of partitions) given.push(`${id}-${partition}`);
          }
        }
        const wanted = Object.entries(counts).flatMap(([topic, count]) =>
          members.some(({ topics }) => topics.has(`#${topic}`))
            ? Array.from({ length: count }, (_, partition) => `#${topic}-${partition}`)
            : [],
        );
        expect(given.toSorted()).toEqual(wanted.toSorted());
      }),
      { seed, numRuns: 500 },
    );
  });
}

test('uniform: no partition could go to a member that has two less; nothing moves when all is even', () => {
  fc.assert(
    fc.property(scenario, ({ counts, members: subscriptions, before }) => {
      const members = withTargets(subscriptions, before, counts);
      const shares = assign('uniform', members, counts);
      const load = (memberId: string) =>
        [...shares.get(memberId)!.values()].reduce((sum, some) => sum + some.size, 0);
      for (const { memberId } of members) {
        for (const id of shares.get(memberId)!.keys()) {
          const others = members.filter(({ topics }) => topics.has(id)).map((one) => load(one.memberId));
          expect(load(memberId) - Math.min(...others)).toBeLessThan(2);
        }
      }
      const again = assign(
        'uniform',
        members.map((one) => ({ ...one, target: shares.get(one.memberId)! })),
        counts,
      );
      for (const { memberId } of members) {
        expect(spelled(again.get(memberId)!)).toBe(spelled(shares.get(memberId)!));
      }
    }),
    { seed, numRuns: 500 },
  );
});

/** Former targets, each partition in one of them, some of topics or partitions that are not there any more. */
function withTargets(
  subscriptions: readonly string[][],
  before: ReadonlyArray<readonly [number, string, number]>,
  counts: Record<string, number>,
): AssignorMember[] {
  const targets = subscriptions.map(() => new Map<string, Set<number>>());
  const seen = new Set<string>();
  for (const [who, topic, partition] of before) {
    const target = targets[who];
    if (!target || seen.has(`${topic}-${partition}`)) continue;
    seen.add(`${topic}-${partition}`);
    target.set(`#${topic}`, (target.get(`#${topic}`) ?? new Set()).add(partition));
  }
  return subscriptions.map((topics, index) =>
    member(
      `m${index}`,
      topics.filter((topic) => topic in counts),
      targets[index]!,
    ),
  );
}
