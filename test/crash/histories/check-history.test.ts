import { describe, expect, test } from 'vitest';

import { ANOMALIES, type Anomaly } from './anomalies.ts';
import { checkHistory, countAnomalies, figuresOf } from './check-history.ts';
import { writtenHistory } from './written-history.ts';

function found(text: string, complete = true): Anomaly[] {
  return [...new Set(checkHistory(writtenHistory(text, complete)).map(({ anomaly }) => anomaly))].toSorted();
}

/** By anomaly: a history that has it, and one that looks much the same and has not. */
const CASES: Record<Anomaly, ReadonlyArray<{ has: string; hasNot: string; also?: Anomaly[] }>> = {
  'lost-write': [
    {
      has: `w ok txn w0:a@0 w0:b@1 w0:c@2
            r ok subscribe r0:a@0
            s ok subscribe r0:c@2`,
      hasNot: `w ok txn w0:a@0 w0:b@1 w0:c@2
               r ok subscribe r0:a@0 r0:b@1
               s ok subscribe r0:c@2`,
    },
    {
      has: `w ok plain w0:a@0
            v ok plain w0:b@1
            r ok assign r0:b@1`,
      hasNot: `w unknown plain w0:a
               v ok plain w0:b@1
               r ok assign r0:b@1`,
    },
  ],
  unseen: [
    {
      has: `w ok txn w0:a@0 w0:b@1
            r ok assign r0:a@0`,
      hasNot: `w ok txn w0:a@0
               v failed txn w0:b@2
               u unknown txn w0:c@4
               r ok assign r0:a@0`,
    },
    // Read by somebody who reads everything is not read.
    {
      has: `w ok txn w0:a@0
            r ok uncommitted r0:a@0`,
      hasNot: `w ok txn w0:a@0
               r ok uncommitted r0:a@0
               s ok assign r0:a@0`,
    },
  ],
  duplicate: [
    {
      has: `w ok plain w0:a@0
            r ok assign r0:a@0 r0:a@1`,
      hasNot: `w ok plain w0:a@0
               r ok assign r0:a@0
               s ok assign r0:a@0`,
    },
    {
      has: `w ok plain w0:a@7
            r ok assign r0:a@8`,
      hasNot: `w ok plain w0:a
               r ok assign r0:a@8`,
    },
  ],
  'inconsistent-offsets': [
    {
      has: `w ok plain w0:a@0
            v ok plain w0:b
            r ok assign r0:a@0
            s ok assign r0:b@0`,
      hasNot: `w ok plain w0:a@0
               v ok plain w1:b
               r ok assign r0:a@0
               s ok assign r1:b@0`,
    },
  ],
  phantom: [
    {
      has: `w ok plain w0:a@0
            r ok assign r0:a@0 r0:x@1`,
      hasNot: `w ok plain w0:a@0
               v unknown plain w0:x
               r ok assign r0:a@0 r0:x@1`,
    },
  ],
  G0: [
    {
      has: `w ok txn w0:a@0 w1:b@1
            v ok txn w0:c@1 w1:d@0
            r ok assign r0:a@0 r0:c@1 r1:d@0 r1:b@1`,
      hasNot: `w ok txn w0:a@0 w1:b@0
               v ok txn w0:c@1 w1:d@1
               r ok assign r0:a@0 r0:c@1 r1:b@0 r1:d@1`,
    },
  ],
  G1a: [
    {
      has: `w failed txn w0:a@0
            r ok assign r0:a@0`,
      hasNot: `w failed txn w0:a@0
               r ok uncommitted r0:a@0`,
    },
    {
      has: `w failed txn w0:a
            r ok subscribe r0:a@0`,
      hasNot: `w unknown txn w0:a
               r ok subscribe r0:a@0`,
    },
  ],
  'torn-transaction': [
    {
      has: `w unknown txn w0:a@0 w1:b@0
            r ok assign r0:a@0`,
      hasNot: `w unknown txn w0:a@0 w1:b@0
               r ok uncommitted r0:a@0`,
    },
  ],
  'precommitted-read': [
    {
      has: `w ok txn w0:a@0 r0:a@0`,
      hasNot: `w ok txn w0:a@0
               w ok txn r0:a@0`,
    },
  ],
  G1c: [
    {
      has: `w ok txn w0:a@0 r1:b@0
            v ok txn w1:b@0 r0:a@0`,
      hasNot: `w ok txn w0:a@0
               v ok txn w1:b@0 r0:a@0
               w ok txn r1:b@0`,
    },
    {
      has: `u ok txn w0:a@0 r0:c@2
            v ok txn w0:b@1 r0:a@0
            w unknown txn w0:c@2 r0:b@1
            r ok assign r0:a@0 r0:b@1 r0:c@2`,
      hasNot: `u ok txn w0:a@0
               v ok txn w0:b@1 r0:a@0
               w unknown txn w0:c@2 r0:b@1
               r ok assign r0:a@0 r0:b@1 r0:c@2`,
    },
  ],
  'G1c-ww': [
    {
      has: `w ok txn w0:a@0 w1:b@1
            v ok txn r0:a@0 w1:c@0
            r ok assign r1:c@0 r1:b@1`,
      hasNot: `w ok txn w0:a@0 w1:b@0
               v ok txn r0:a@0 w1:c@1
               r ok assign r1:b@0 r1:c@1`,
    },
  ],
  'int-send-skip': [
    {
      has: `w ok txn w0:a@0 w0:c@2
            v ok txn w0:b@1
            r ok assign r0:a@0 r0:b@1 r0:c@2`,
      // What lies between was aborted; two plain sends promise nothing.
      hasNot: `w ok txn w0:a@0 w0:c@2
               v failed txn w0:b@1
               u ok plain w0:d@4 w0:f@6
               v ok txn w0:e@5
               r ok assign r0:a@0 r0:c@2 r0:d@4 r0:e@5 r0:f@6`,
      also: ['G0'],
    },
  ],
  'int-nonmonotonic-send': [
    {
      has: `w ok txn w0:a@1 w0:b@0
            r ok assign r0:b@0 r0:a@1`,
      hasNot: `w ok txn w0:a@1 w1:b@0
               r ok assign r1:b@0 r0:a@1`,
    },
    {
      has: `w unknown txn w0:a w0:b
            r ok assign r0:b@0 r0:a@1`,
      hasNot: `w unknown txn w0:a w0:b
               r ok assign r0:a@0 r0:b@1`,
    },
  ],
  'nonmonotonic-send': [
    {
      has: `w ok txn w0:a@2
            w ok txn w0:b@0
            r ok assign r0:b@0 r0:a@2`,
      hasNot: `w ok txn w0:a@2
               v ok txn w0:b@0
               r ok assign r0:b@0 r0:a@2`,
    },
    {
      has: `w ok plain w0:a
            w ok plain w0:b
            r ok assign r0:b@0 r0:a@2`,
      hasNot: `w unknown plain w0:a
               w ok plain w0:b
               r ok assign r0:b@0 r0:a@2`,
    },
  ],
  'int-poll-skip': [
    {
      has: `w ok txn w0:a@0 w0:b@1 w0:c@2
            r ok subscribe r0:a@0 r0:c@2
            s ok assign r0:b@1`,
      hasNot: `w ok txn w0:a@0 w0:c@2
               v failed txn w0:b@1
               r ok subscribe r0:a@0 r0:c@2
               s ok uncommitted r0:b@1`,
    },
    // A client that leaks may leave out aborted records, and no others.
    {
      has: `w ok txn w0:a@0 w0:b@1 w0:c@2
            r ok leaking r0:a@0 r0:c@2
            s ok assign r0:a@0 r0:b@1 r0:c@2`,
      hasNot: `w ok txn w0:a@0 w0:c@2
               v failed txn w0:b@1
               r ok leaking r0:a@0 r0:c@2
               s ok leaking r0:b@1 r0:c@2
               t ok assign r0:a@0 r0:c@2`,
    },
    // Nobody leaves out aborted records who reads everything.
    {
      has: `w ok txn w0:a@0 w0:c@2
            v failed txn w0:b@1
            r ok uncommitted r0:a@0 r0:c@2
            s ok assign r0:a@0 r0:c@2`,
      hasNot: `w ok txn w0:a@0 w0:c@2
               v failed txn w0:b@1
               r ok uncommitted r0:a@0 r0:b@1 r0:c@2
               s ok assign r0:a@0 r0:c@2`,
    },
  ],
  'int-nonmonotonic-poll': [
    {
      has: `w ok txn w0:a@0 w0:b@1
            r ok subscribe r0:b@1 r0:a@0`,
      hasNot: `w ok txn w0:a@0 w1:b@1
               r ok subscribe r1:b@1 r0:a@0`,
    },
    {
      has: `w ok txn w0:a@0
            r ok subscribe r0:a@0 r0:a@0`,
      hasNot: `w ok txn w0:a@0
               r ok subscribe r0:a@0`,
    },
  ],
  'poll-skip': [
    {
      has: `w ok txn w0:a@0 w0:b@1 w0:c@2
            r ok assign r0:a@0
            r ok assign r0:c@2
            s ok assign r0:b@1`,
      hasNot: `w ok txn w0:a@0 w0:b@1 w0:c@2
               r ok assign r0:a@0
               s ok assign r0:c@2
               s2 ok assign r0:b@1`,
    },
  ],
  'nonmonotonic-poll': [
    {
      has: `w ok txn w0:a@0 w0:b@1
            r ok assign r0:a@0 r0:b@1
            r ok assign r0:b@1`,
      hasNot: `w ok txn w0:a@0 w0:b@1
               r ok assign r0:a@0
               r ok assign r0:b@1`,
    },
  ],
  'consumed-twice': [
    {
      has: `w ok txn w0:a@0
            c ok txn:g r0:a@0
            d ok txn:g r0:a@0`,
      hasNot: `w ok txn w0:a@0
               c ok txn:g r0:a@0
               d ok txn:h r0:a@0`,
    },
    {
      has: `w ok txn w0:a@0
            c unknown txn:g r0:a@0 w1:b
            d ok txn:g r0:a@0 w1:c
            r ok assign r1:b@0 r1:c@1`,
      hasNot: `w ok txn w0:a@0
               c unknown txn:g r0:a@0 w1:b
               d ok txn:g r0:a@0 w1:c
               e failed txn:g r0:a@0 w1:d
               r ok assign r1:c@1`,
    },
  ],
  'consumed-gap': [
    {
      has: `w ok txn w0:a@0 w0:b@1
            c failed txn:g r0:a@0
            d ok txn:g r0:b@1
            r ok assign r0:a@0 r0:b@1`,
      hasNot: `w ok txn w0:a@0 w0:b@1
               c failed txn:g r0:a@0 r0:b@1
               d ok txn:g r0:a@0
               r ok assign r0:a@0 r0:b@1`,
    },
  ],
};

for (const [anomaly, cases] of Object.entries(CASES)) {
  describe(`${anomaly}`, () => {
    for (const [i, { has, hasNot, also }] of cases.entries()) {
      test(`is found, and not in a history that only looks so: ${i + 1}`, () => {
        expect(found(has)).toEqual([anomaly, ...(also ?? [])].toSorted());
        expect(found(hasNot)).toEqual([]);
      });
    }
  });
}

describe('what Kafka allows', () => {
  test('skips and steps back between polls are legal for a member of a group, and only for one', () => {
    const text = (by: string): string => `w ok txn w0:a@0 w0:b@1 w0:c@2
      r ok ${by} r0:a@0
      r ok ${by} r0:c@2
      r ok ${by} r0:b@1`;
    for (const [by, legal] of [['subscribe', true] as const, ['assign', false] as const]) {
      const findings = checkHistory(writtenHistory(text(by)));
      expect(findings.map((one) => [one.anomaly, one.legal])).toEqual([
        ['poll-skip', legal],
        ['nonmonotonic-poll', legal],
      ]);
    }
  });

  test('cycles of writes and transactions that interleave are legal, everything else never', () => {
    const always = Object.entries(ANOMALIES).filter(([, { legal }]) => legal === 'always');
    expect(always.map(([anomaly]) => anomaly)).toEqual(['G0', 'G1c-ww', 'int-send-skip']);
  });
});

test('what nobody read is no accusation before the partitions were read to their ends', () => {
  const text = `w ok txn w0:a@0
                v unknown txn w0:b w1:c
                r ok assign r0:b@2`;
  expect(found(text, false)).toEqual(['lost-write']);
  expect(found(text)).toEqual(['lost-write', 'torn-transaction']);
});

test('a value that was sent twice makes a history that cannot be judged', () => {
  expect(() => found('w ok plain w0:a@0 w0:a@1')).toThrow('cannot check: a was sent twice');
});

test('figures and counts', () => {
  const history = writtenHistory(`
    w ok txn w0:a@0 w0:b@1
    v failed txn w0:c
    u unknown txn w0:d
    r ok assign r0:a@0 r0:b@1
    s ok assign r0:b@1 r0:a@0`);
  expect(countAnomalies(checkHistory(history))).toEqual({ 'int-nonmonotonic-poll': 1 });
  expect(figuresOf(history)).toEqual({
    operations: 5,
    transactions: 3,
    committed: 1,
    aborted: 1,
    unknown: 1,
    sends: 4,
    'records polled': 4,
    'worst lag, ms': 30,
  });
});
