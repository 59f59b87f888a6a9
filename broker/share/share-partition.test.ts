import { describe, expect, test } from 'vitest';

import { CODE } from '../wire/errors.ts';
import { acquire, type AcquireRequest } from './acquire.ts';
import { acknowledge, ACKNOWLEDGE, deadLettered, expireLocks, releaseMember, stored } from './settle.ts';
import {
  archivingRanges,
  type DeliveryRules,
  newSharePartition,
  nextFetchOffset,
  nextLockEndMs,
  recordsInFlight,
  restoredPartition,
  type SharePartition,
  type ShareStep,
  snapshotOf,
  trimmed,
} from './share-partition.ts';

const RULES: DeliveryRules = {
  deliveryCountLimit: 3,
  lockDurationMs: 100,
  recordLocksMax: 50,
  deadLetters: false,
};

/** Two batches of the log: 0 to 4 and 5 to 9. */
const LOG: Pick<AcquireRequest, 'from' | 'to' | 'batches'> = {
  from: 0,
  to: 10,
  batches: [
    { first: 0, last: 4 },
    { first: 5, last: 9 },
  ],
};

function take(
  partition: SharePartition,
  given: Partial<AcquireRequest> & { now?: number; rules?: Partial<DeliveryRules> } = {},
) {
  const { now = 0, rules, ...request } = given;
  return acquire(
    partition,
    { memberId: 'a', recordsMax: 100, batchSize: 100, isStrict: false, ...LOG, ...request },
    { ...RULES, ...rules },
    now,
  );
}

function say(
  partition: SharePartition,
  first: number,
  last: number,
  types: number[],
  rules = RULES,
  now = 0,
) {
  const outcome = acknowledge(partition, 'a', [{ first, last, types }], rules, now);
  if ('errorCode' in outcome) throw new Error(`refused with ${outcome.errorCode}`);
  return outcome;
}

function durable(step: ShareStep): SharePartition {
  const [effect] = step.effects;
  if (effect?.kind !== 'store') throw new Error('nothing is to be stored');
  return stored(step.partition, effect.ticket, true).partition;
}

function states({ runs }: SharePartition): string {
  return runs
    .map(({ first, last, state, deliveryCount }) => `${first}-${last} ${state} ${deliveryCount}`)
    .join(', ');
}

describe('acquiring', () => {
  test('a fetch takes whole batches of the log until it has enough', () => {
    const { acquired, partition } = take(newSharePartition(0), { recordsMax: 3 });
    expect(acquired).toEqual([{ first: 0, last: 4, deliveryCount: 1 }]);
    expect(nextFetchOffset(partition, 50)).toBe(5);
    expect(take(newSharePartition(0), { recordsMax: 6 }).acquired).toEqual([
      { first: 0, last: 9, deliveryCount: 1 },
    ]);
  });

  test('with a record limit it takes no more than that, in the middle of a batch too', () => {
    const { acquired, partition } = take(newSharePartition(0), { recordsMax: 6, isStrict: true });
    expect(acquired).toEqual([{ first: 0, last: 5, deliveryCount: 1 }]);
    expect(nextFetchOffset(partition, 50)).toBe(6);
  });

  test('ranges of an answer end at the end of a batch of the log where they would exceed the batch size', () => {
    expect(take(newSharePartition(0), { recordsMax: 6, batchSize: 2 }).acquired).toEqual([
      { first: 0, last: 4, deliveryCount: 1 },
      { first: 5, last: 9, deliveryCount: 1 },
    ]);
    expect(take(newSharePartition(0), { recordsMax: 6, batchSize: 2, isStrict: true }).acquired).toEqual([
      { first: 0, last: 5, deliveryCount: 1 },
    ]);
  });

  test('what one member has, another does not get', () => {
    const { partition } = take(newSharePartition(0), { recordsMax: 1 });
    expect(take(partition, { memberId: 'b' }).acquired).toEqual([{ first: 5, last: 9, deliveryCount: 1 }]);
  });

  test('a thousand records of one fetch are one run', () => {
    const batches = Array.from({ length: 200 }, (_, i) => ({ first: i * 5, last: i * 5 + 4 }));
    const { partition } = take(newSharePartition(0), {
      batches,
      to: 1000,
      recordsMax: 1000,
      batchSize: 1000,
      rules: { recordLocksMax: 2000 },
    });
    expect(states(partition)).toBe('0-999 acquired 1');
  });

  test('no more than the limit of locks is handed out, to the end of a batch', () => {
    const { acquired, partition } = take(newSharePartition(0), { rules: { recordLocksMax: 3 } });
    expect(acquired).toEqual([{ first: 0, last: 4, deliveryCount: 1 }]);
    expect(nextFetchOffset(partition, 3)).toBeUndefined();
    const freed = durable(say(partition, 0, 2, [ACKNOWLEDGE.accept]));
    expect(nextFetchOffset(freed, 3)).toBe(5);
  });

  test('markers, and what compaction took, are passed over for good', () => {
    const { acquired, partition } = take(newSharePartition(0), {
      batches: [
        { first: 2, last: 3 },
        { first: 6, last: 7 },
      ],
    });
    expect(acquired).toEqual([
      { first: 2, last: 3, deliveryCount: 1 },
      { first: 6, last: 7, deliveryCount: 1 },
    ]);
    expect(partition.startOffset).toBe(2);
    expect(states(partition)).toBe('2-3 acquired 1, 4-5 archived 0, 6-7 acquired 1, 8-9 archived 0');
    expect(durable(say(partition, 2, 3, [ACKNOWLEDGE.accept])).startOffset).toBe(6);
  });

  test('nothing but markers moves the start behind them', () => {
    const { acquired, partition } = take(newSharePartition(0), { batches: [] });
    expect(acquired).toEqual([]);
    expect(partition).toMatchObject({ startOffset: 10, endOffset: 10, runs: [] });
  });
});

describe('acknowledging', () => {
  test('a record is done with when that is durable, and not before', () => {
    const { partition } = take(newSharePartition(0));
    const step = say(partition, 0, 9, [ACKNOWLEDGE.accept]);
    expect(step.effects).toEqual([
      {
        kind: 'store',
        ticket: 1,
        startOffset: 10,
        batches: [{ first: 0, last: 9, state: 'acknowledged', deliveryCount: 1 }],
      },
    ]);
    expect(step.partition.startOffset).toBe(0);
    expect(take(step.partition, { memberId: 'b' }).acquired).toEqual([]);
    expect(durable(step)).toMatchObject({ startOffset: 10, runs: [] });
  });

  test('when the disk refuses, the member still has its records', () => {
    const { partition } = take(newSharePartition(0));
    const step = say(partition, 0, 9, [ACKNOWLEDGE.accept]);
    const { partition: after, effects } = stored(step.partition, 1, false);
    expect(effects).toEqual([]);
    expect(states(after)).toBe('0-9 acquired 1');
    expect(say(after, 0, 9, [ACKNOWLEDGE.accept]).effects).toHaveLength(1);
  });

  test('each record of a batch may go its own way', () => {
    const { partition } = take(newSharePartition(0));
    const { accept, release, reject, gap } = ACKNOWLEDGE;
    const after = durable(say(partition, 1, 4, [accept, release, reject, gap]));
    expect(states(after)).toBe(
      '0-0 acquired 1, 1-1 acknowledged 1, 2-2 available 1, 3-4 archived 1, 5-9 acquired 1',
    );
    expect(nextFetchOffset(after, 50)).toBe(2);
  });

  test('the start stops at the first record that is not done with', () => {
    const { partition } = take(newSharePartition(0));
    const after = durable(say(partition, 1, 9, [ACKNOWLEDGE.accept]));
    expect(after.startOffset).toBe(0);
    expect(durable(say(after, 0, 0, [ACKNOWLEDGE.accept])).startOffset).toBe(10);
  });

  test('a record of somebody else, or of nobody, is INVALID_RECORD_STATE, and nothing of the request is done', () => {
    const { partition } = take(newSharePartition(0), { recordsMax: 1 });
    const types = [ACKNOWLEDGE.accept];
    const both = take(partition, { memberId: 'b' }).partition;
    for (const batches of [
      [{ first: 5, last: 6, types }],
      [
        { first: 0, last: 0, types },
        { first: 4, last: 5, types },
      ],
    ]) {
      expect(acknowledge(both, 'a', batches, RULES, 0)).toEqual({ errorCode: CODE.INVALID_RECORD_STATE });
    }
    const released = durable(say(partition, 0, 4, [ACKNOWLEDGE.release]));
    expect(acknowledge(released, 'a', [{ first: 0, last: 0, types }], RULES, 0)).toEqual({
      errorCode: CODE.INVALID_RECORD_STATE,
    });
  });

  test('acknowledging twice is INVALID_RECORD_STATE while the first is on its way, and nothing once the start has passed', () => {
    const { partition } = take(newSharePartition(0));
    const step = say(partition, 0, 4, [ACKNOWLEDGE.accept]);
    const again = [{ first: 0, last: 4, types: [ACKNOWLEDGE.accept] }];
    expect(acknowledge(step.partition, 'a', again, RULES, 0)).toEqual({
      errorCode: CODE.INVALID_RECORD_STATE,
    });
    expect(acknowledge(durable(step), 'a', again, RULES, 0)).toMatchObject({ effects: [] });
  });

  test('a record that was never handed out is INVALID_REQUEST', () => {
    const { partition } = take(newSharePartition(0));
    const batches = [{ first: 9, last: 10, types: [ACKNOWLEDGE.accept] }];
    expect(acknowledge(partition, 'a', batches, RULES, 0)).toEqual({ errorCode: CODE.INVALID_REQUEST });
  });
});

describe('letting go', () => {
  test('a lock that ends gives the record back', () => {
    const { partition } = take(newSharePartition(0));
    expect(nextLockEndMs(partition)).toBe(100);
    expect(expireLocks(partition, RULES, 99).effects).toEqual([]);
    const after = durable(expireLocks(partition, RULES, 100));
    expect(states(after)).toBe('0-9 available 1');
    expect(take(after, { memberId: 'b' }).acquired).toEqual([{ first: 0, last: 9, deliveryCount: 2 }]);
  });

  test('renewing begins the lock anew, and writes nothing', () => {
    const { partition } = take(newSharePartition(0));
    const { partition: after, effects } = say(partition, 0, 3, [ACKNOWLEDGE.renew], RULES, 60);
    expect(effects).toEqual([]);
    expect(states(durable(expireLocks(after, RULES, 100)))).toBe('0-3 acquired 1, 4-9 available 1');
    expect(nextLockEndMs(after)).toBe(100);
  });

  test('a record that was delivered too often is archived', () => {
    let { partition } = take(newSharePartition(0));
    for (let count = 2; count <= RULES.deliveryCountLimit; count += 1) {
      partition = durable(say(partition, 0, 9, [ACKNOWLEDGE.release]));
      partition = take(partition).partition;
    }
    expect(states(partition)).toBe('0-9 acquired 3');
    expect(durable(say(partition, 0, 9, [ACKNOWLEDGE.release]))).toMatchObject({ startOffset: 10, runs: [] });
    expect(durable(expireLocks(partition, RULES, 1_000))).toMatchObject({ startOffset: 10, runs: [] });
  });

  test('a session that ends gives its records back, and the delivery does not count', () => {
    const { partition } = take(newSharePartition(0), { recordsMax: 1 });
    const both = take(partition, { memberId: 'b' }).partition;
    expect(states(durable(releaseMember(both, 'a')))).toBe('0-4 available 0, 5-9 acquired 1');
  });

  test('deleted records are done with, whoever has them', () => {
    const { partition } = take(newSharePartition(0));
    const after = trimmed(partition, 7);
    expect(after.startOffset).toBe(7);
    expect(states(after)).toBe('7-9 acquired 1');
    expect(say(after, 5, 6, [ACKNOWLEDGE.accept]).effects).toEqual([]);
    expect(trimmed(partition, 30)).toMatchObject({ startOffset: 30, endOffset: 30, runs: [] });
  });
});

describe('dead letters', () => {
  const rules = { ...RULES, deadLetters: true };

  test('a given-up record is archived when its letter is written; until then the start waits for it', () => {
    const { partition } = take(newSharePartition(0));
    const step = say(partition, 0, 1, [ACKNOWLEDGE.reject], rules);
    const { partition: archiving, effects } = stored(step.partition, 1, true);
    expect(effects).toEqual([
      { kind: 'archiving', ranges: [{ first: 0, last: 1, deliveryCount: 1, reason: 'rejected' }] },
    ]);
    expect(archiving.startOffset).toBe(0);
    expect(recordsInFlight(archiving)).toBe(10);
    const after = durable(deadLettered(archiving, archivingRanges(archiving, 3)));
    expect(after.startOffset).toBe(2);
  });

  test('gaps leave no letter', () => {
    const { partition } = take(newSharePartition(0));
    expect(durable(say(partition, 0, 9, [ACKNOWLEDGE.gap], rules))).toMatchObject({ startOffset: 10 });
  });

  test('after a restart the letters are still to be written', () => {
    const again = restoredPartition(0, [{ first: 0, last: 1, state: 'archiving', deliveryCount: 3 }]);
    expect(archivingRanges(again, 3)).toEqual([
      { first: 0, last: 1, deliveryCount: 3, reason: 'delivery-count' },
    ]);
    expect(archivingRanges(again, 5)).toEqual([{ first: 0, last: 1, deliveryCount: 3, reason: 'rejected' }]);
  });
});

describe('what is kept', () => {
  test('acquired records are available after a restart, with their delivery count', () => {
    const { partition } = take(newSharePartition(0));
    const after = durable(say(partition, 2, 3, [ACKNOWLEDGE.accept]));
    const { startOffset, batches } = snapshotOf(after);
    const again = restoredPartition(startOffset, batches);
    expect(states(again)).toBe('0-1 available 1, 2-3 acknowledged 1, 4-9 available 1');
    expect(again).toMatchObject({ startOffset: 0, endOffset: 10 });
  });

  test('what is on its way to the disk counts as done in a snapshot, since it stands before it', () => {
    const { partition } = take(newSharePartition(0));
    const { partition: storing } = say(partition, 0, 3, [ACKNOWLEDGE.accept]);
    expect(snapshotOf(storing)).toEqual({
      startOffset: 4,
      batches: [{ first: 4, last: 9, state: 'available', deliveryCount: 1 }],
    });
  });

  test('offsets between what is stored were never handed out', () => {
    const again = restoredPartition(3, [
      { first: 0, last: 4, state: 'acknowledged', deliveryCount: 1 },
      { first: 8, last: 9, state: 'available', deliveryCount: 2 },
    ]);
    expect(again.startOffset).toBe(5);
    expect(states(again)).toBe('5-7 available 0, 8-9 available 2');
  });
});
