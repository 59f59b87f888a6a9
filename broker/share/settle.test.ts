import { describe, expect, test } from 'vitest';

import { durable, RULES, say, states, take } from '../../test/support/shared-partition.ts';
import { CODE } from '../wire/errors.ts';
import { acknowledge, ACKNOWLEDGE, deadLettered, expireLocks, releaseMember, stored } from './settle.ts';
import {
  archivingRanges,
  newSharePartition,
  nextFetchOffset,
  nextLockEndMs,
  recordsInFlight,
} from './share-partition.ts';

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
});
