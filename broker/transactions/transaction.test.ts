import { describe, expect, test } from 'vitest';

import { OTHER, PLACE, TransactionDriver } from '../../test/support/transaction-driver.ts';
import { CODE, errorName } from '../wire/errors.ts';
import { verify } from './add-partitions.ts';
import { storedTransaction } from './transaction.ts';
import { moved, newValue, PREDECESSORS, type State, STATES } from './transaction-value.ts';

function started(version: 0 | 2 = 2): TransactionDriver {
  const drive = new TransactionDriver(version);
  drive.init();
  return drive;
}

function ongoing(version: 0 | 2 = 2): TransactionDriver {
  const drive = started(version);
  drive.add();
  return drive;
}

function exhausted(state: State): TransactionDriver {
  const value = { ...newValue(7, 1_000), state, producerEpoch: 32_766, timeoutMs: 10_000, startMs: 1_000 };
  return new TransactionDriver(2, storedTransaction('tx', value));
}

function name(drive: TransactionDriver, token: number): string {
  const code = drive.code(token);
  return code === undefined ? 'none yet' : errorName(code);
}

describe('states', () => {
  for (const to of STATES) {
    test(`${to} is reached from ${PREDECESSORS[to].join(', ')} and from nowhere else`, () => {
      const reached = STATES.filter((from) => {
        try {
          return moved({ ...newValue(7, 0), state: from }, { state: to, updatedMs: 1 }).state === to;
        } catch {
          return false;
        }
      });
      expect(reached.toSorted()).toEqual(PREDECESSORS[to].toSorted());
    });
  }
});

describe('InitProducerId', () => {
  test('the first gives epoch 0, every further one the next', () => {
    const drive = new TransactionDriver();
    expect(drive.answers.get(drive.init())).toEqual({ errorCode: 0, producerId: 7, producerEpoch: 0 });
    expect(drive.answers.get(drive.init())).toEqual({ errorCode: 0, producerId: 7, producerEpoch: 1 });
  });

  test('with (pid, epoch) and an id never seen before it succeeds with a new producer id', () => {
    const drive = new TransactionDriver();
    const token = drive.init({ expected: { producerId: 0, producerEpoch: 0 } });
    expect(drive.answers.get(token)).toEqual({ errorCode: 0, producerId: 7, producerEpoch: 0 });
  });

  test('on Ongoing it bumps the epoch, aborts, and is answered CONCURRENT_TRANSACTIONS; the next one succeeds', () => {
    for (const version of [0, 2] as const) {
      const drive = ongoing(version);
      expect(name(drive, drive.init())).toBe('CONCURRENT_TRANSACTIONS');
      expect(drive.value).toMatchObject({ state: 'CompleteAbort', producerEpoch: 1 });
      expect(drive.markers).toMatchObject([{ producerId: 7, producerEpoch: 1, commit: false }]);
      expect(drive.answers.get(drive.init())).toMatchObject({ errorCode: 0, producerEpoch: 2 });
    }
  });

  test('on Prepare* it is answered CONCURRENT_TRANSACTIONS', () => {
    const drive = ongoing();
    drive.refusesMarkers = true;
    drive.end();
    expect(drive.value.state).toBe('PrepareCommit');
    expect(name(drive, drive.init())).toBe('CONCURRENT_TRANSACTIONS');
  });

  test('a producer that names its epoch goes on in the next; its retry gets the same answer', () => {
    const drive = started();
    const expected = { producerId: 7, producerEpoch: 0 };
    for (let i = 0; i < 2; i += 1) {
      expect(drive.answers.get(drive.init({ expected }))).toMatchObject({ errorCode: 0, producerEpoch: 1 });
    }
  });

  test('a producer that was replaced is PRODUCER_FENCED, by another id or another epoch', () => {
    const drive = started();
    drive.init();
    expect(name(drive, drive.init({ expected: { producerId: 7, producerEpoch: 0 } }))).toBe(
      'PRODUCER_FENCED',
    );
    expect(name(drive, drive.init({ expected: { producerId: 6, producerEpoch: 1 } }))).toBe(
      'PRODUCER_FENCED',
    );
  });

  test('the last epoch but one gives a new producer id, which the retry with the old one gets too', () => {
    const drive = exhausted('Empty');
    const expected = { producerId: 7, producerEpoch: 32_766 };
    const first = drive.answers.get(drive.init({ expected }));
    expect(first).toEqual({ errorCode: 0, producerId: 8, producerEpoch: 0 });
    expect(drive.answers.get(drive.init({ expected }))).toEqual(first);
    expect(drive.value.previousProducerId).toBe(8);
  });
});

describe('adding partitions', () => {
  test('the first begins the transaction, more of them join it without moving its start', () => {
    const drive = ongoing();
    drive.now += 500;
    expect(name(drive, drive.add({ places: [OTHER] }))).toBe('NONE');
    expect(drive.value).toMatchObject({ state: 'Ongoing', startMs: 1_000 });
    expect([...drive.value.partitions.values()]).toEqual([PLACE, OTHER]);
  });

  test('what is there already is answered without a record', () => {
    const drive = ongoing();
    const records = drive.durable.length;
    expect(name(drive, drive.add())).toBe('NONE');
    expect(drive.durable).toHaveLength(records);
  });

  test('several at once share the disk, and each is answered when its own record is durable', () => {
    const drive = started();
    drive.autoSync = false;
    const tokens = [drive.add(), drive.add({ places: [OTHER] }), drive.add()];
    expect(tokens.map((token) => name(drive, token))).toEqual(['none yet', 'none yet', 'none yet']);
    drive.sync({ count: 1 });
    expect(tokens.map((token) => name(drive, token))).toEqual(['NONE', 'none yet', 'none yet']);
    drive.sync();
    expect(tokens.map((token) => name(drive, token))).toEqual(['NONE', 'NONE', 'NONE']);
  });

  test('a next transaction may begin as soon as the end is answered', () => {
    const drive = ongoing();
    expect(name(drive, drive.end())).toBe('NONE');
    expect(name(drive, drive.add())).toBe('NONE');
    expect([...drive.value.partitions.values()]).toEqual([PLACE]);
  });
});

const others = [
  { what: 'add', call: (drive: TransactionDriver, given: object) => drive.add(given) },
  { what: 'end in version 2', call: (drive: TransactionDriver, given: object) => drive.end(given) },
  {
    what: 'end before it',
    call: (drive: TransactionDriver, given: object) => drive.end({ version: 0, ...given }),
  },
];
describe('who may speak for a transactional id', () => {
  for (const { what, call } of others) {
    test(`${what}: another producer id is INVALID_PRODUCER_ID_MAPPING, any other epoch PRODUCER_FENCED`, () => {
      const drive = ongoing();
      expect(name(drive, call(drive, { producerId: 6 }))).toBe('INVALID_PRODUCER_ID_MAPPING');
      expect(name(drive, call(drive, { producerEpoch: 1 }))).toBe('PRODUCER_FENCED');
      expect(name(drive, call(drive, { producerEpoch: -1 }))).toBe('PRODUCER_FENCED');
    });

    test(`${what}: a transition still in progress is CONCURRENT_TRANSACTIONS`, () => {
      const drive = ongoing();
      drive.autoSync = false;
      drive.end({ version: 0 });
      expect(name(drive, call(drive, {}))).toBe('CONCURRENT_TRANSACTIONS');
    });
  }

  test('a write of before version 2 is verified: only what was added, in the same transaction', () => {
    const drive = ongoing(0);
    const producer = { producerId: 7, producerEpoch: 0 };
    const verified = (given: object, place = PLACE) =>
      errorName(verify(drive.transaction, { ...producer, ...given }, place));
    expect(verified({})).toBe('NONE');
    expect(verified({}, OTHER)).toBe('TRANSACTION_ABORTABLE');
    expect(verified({ producerId: 6 })).toBe('INVALID_PRODUCER_ID_MAPPING');
    expect(verified({ producerEpoch: 1 })).toBe('PRODUCER_FENCED');
    drive.autoSync = false;
    drive.end({ version: 0 });
    drive.sync();
    expect(verified({})).toBe('TRANSACTION_ABORTABLE');
  });
});

describe('EndTxn before version 2', () => {
  test('keeps producer id and epoch, and tells the partitions in that epoch', () => {
    const drive = ongoing(0);
    expect(drive.answers.get(drive.end({ version: 0 }))).toMatchObject({ errorCode: 0, producerEpoch: 0 });
    expect(drive.value).toMatchObject({ state: 'CompleteCommit', producerEpoch: 0 });
    expect(drive.markers).toMatchObject([{ producerEpoch: 0, commit: true, version: 0 }]);
  });

  const cases: Array<{ state: string; commit: boolean; again: boolean; want: string }> = [
    { state: 'CompleteCommit', commit: true, again: true, want: 'NONE' },
    { state: 'CompleteCommit', commit: true, again: false, want: 'INVALID_TXN_STATE' },
    { state: 'CompleteAbort', commit: false, again: false, want: 'NONE' },
    { state: 'CompleteAbort', commit: false, again: true, want: 'INVALID_TXN_STATE' },
    { state: 'PrepareCommit', commit: true, again: true, want: 'CONCURRENT_TRANSACTIONS' },
    { state: 'PrepareCommit', commit: true, again: false, want: 'INVALID_TXN_STATE' },
    { state: 'PrepareAbort', commit: false, again: false, want: 'CONCURRENT_TRANSACTIONS' },
    { state: 'PrepareAbort', commit: false, again: true, want: 'INVALID_TXN_STATE' },
  ];
  for (const version of [0, 2] as const) {
    for (const { state, commit, again, want } of cases) {
      test(`version ${version}: in ${state} a retried ${again ? 'commit' : 'abort'} is ${want}`, () => {
        const drive = ongoing(version);
        drive.refusesMarkers = state.startsWith('Prepare');
        const { producerId, producerEpoch } = drive.value;
        const first = drive.end({ version, commit });
        expect(drive.value.state).toBe(state);
        const second = drive.end({ version, commit: again, producerId, producerEpoch });
        expect(name(drive, second)).toBe(want);
        const producer = want === 'NONE' ? drive.answers.get(first) : { producerId: -1, producerEpoch: -1 };
        expect(drive.answers.get(second)).toMatchObject({ ...producer, errorCode: drive.code(second) });
      });
    }
  }

  test('in Empty it is INVALID_TXN_STATE', () => {
    for (const commit of [true, false]) {
      const drive = started(0);
      expect(name(drive, drive.end({ version: 0, commit }))).toBe('INVALID_TXN_STATE');
    }
  });
});

describe('EndTxn of version 2', () => {
  test('moves the epoch, which the markers carry and the answer returns', () => {
    const drive = ongoing();
    expect(drive.answers.get(drive.end())).toEqual({ errorCode: 0, producerId: 7, producerEpoch: 1 });
    expect(drive.markers).toMatchObject([{ producerId: 7, producerEpoch: 1, commit: true, version: 2 }]);
  });

  test('a retry from the old epoch is answered the same, also after a restart', () => {
    const drive = ongoing();
    const retry = { producerId: 7, producerEpoch: 0 };
    const first = drive.answers.get(drive.end(retry));
    drive.crash();
    expect(drive.answers.get(drive.end(retry))).toEqual(first);
    expect(name(drive, drive.end({ ...retry, commit: false }))).toBe('INVALID_TXN_STATE');
  });

  test('a transaction without writes can be aborted, not committed', () => {
    for (const drive of [started(), ongoing()]) {
      if (drive.value.state === 'Ongoing') drive.end();
      const { producerEpoch } = drive.value;
      expect(name(drive, drive.end({ commit: true }))).toBe('INVALID_TXN_STATE');
      expect(drive.answers.get(drive.end({ commit: false }))).toMatchObject({
        errorCode: 0,
        producerEpoch: producerEpoch + 1,
      });
      expect(drive.value.state).toBe('CompleteAbort');
    }
  });

  test('the end of the last epoch gives a new producer id; the retry with the old one gets it too', () => {
    const drive = exhausted('Ongoing');
    const old = { producerId: 7, producerEpoch: 32_766 };
    const first = drive.answers.get(drive.end(old));
    expect(first).toEqual({ errorCode: 0, producerId: 8, producerEpoch: 0 });
    expect(drive.markers).toMatchObject([{ producerId: 7, producerEpoch: 32_767 }]);
    expect(drive.answers.get(drive.end(old))).toEqual(first);
    drive.crash();
    expect(drive.answers.get(drive.end(old))).toEqual(first);
    expect(name(drive, drive.end({ ...old, commit: false }))).toBe('INVALID_TXN_STATE');
  });
});

describe('timeouts', () => {
  test('an old transaction is aborted in a new epoch, and its producer is fenced', () => {
    for (const version of [0, 2] as const) {
      const drive = ongoing(version);
      drive.at(11_000);
      expect(drive.value.state).toBe('Ongoing');
      drive.at(11_001);
      expect(drive.value).toMatchObject({ state: 'CompleteAbort', producerEpoch: 1 });
      expect(drive.markers).toMatchObject([{ producerEpoch: 1, commit: false, version }]);
      expect(name(drive, drive.add({ producerEpoch: 0 }))).toBe('PRODUCER_FENCED');
    }
  });

  test('version 2: the late abort of the timed out producer is a retry, its commit is not', () => {
    const drive = ongoing();
    drive.at(20_000);
    expect(name(drive, drive.end({ producerEpoch: 0 }))).toBe('INVALID_TXN_STATE');
    const answer = drive.answers.get(drive.end({ producerEpoch: 0, commit: false }));
    expect(answer).toEqual({ errorCode: 0, producerId: 7, producerEpoch: 1 });
  });

  test('the timeout goes on over a restart', () => {
    const drive = ongoing();
    drive.now += 9_000;
    drive.crash();
    expect(drive.value.state).toBe('Ongoing');
    drive.at(11_001);
    expect(drive.value.state).toBe('CompleteAbort');
  });

  test('an id that nobody used for long is forgotten with a tombstone, one with an open transaction is not', () => {
    const drive = ongoing();
    drive.now += 100_000;
    drive.event({ kind: 'expire', afterMs: 100_000 });
    expect(drive.value.state).toBe('Ongoing');
    drive.end();
    drive.event({ kind: 'expire', afterMs: 1 });
    expect(drive.value.state).toBe('CompleteCommit');
    drive.now += 100_000;
    drive.event({ kind: 'expire', afterMs: 100_000 });
    expect(drive.value.state).toBe('Dead');
    expect(drive.durable.at(-1)).toMatchObject({ kind: 'record', value: null });
  });
});

describe('the disk', () => {
  test('an end is Prepare, markers, Complete in this order, appended in one turn and made durable by one sync', () => {
    const drive = ongoing();
    drive.autoSync = false;
    const token = drive.end();
    expect(drive.pending.map((one) => (one.kind === 'record' ? one.value?.state : one.kind))).toEqual([
      'PrepareCommit',
      'markers',
      'CompleteCommit',
    ]);
    expect(name(drive, token)).toBe('none yet');
    drive.sync();
    expect(name(drive, token)).toBe('NONE');
  });

  test('a Prepare that the disk refuses leaves the transaction open, and says so', () => {
    const drive = ongoing();
    drive.autoSync = false;
    const token = drive.end();
    drive.sync({ count: 0, fails: true });
    expect(name(drive, token)).toBe('COORDINATOR_NOT_AVAILABLE');
    expect(drive.value).toMatchObject({ state: 'Ongoing', producerEpoch: 0 });
    drive.autoSync = true;
    expect(name(drive, drive.end())).toBe('NONE');
  });

  test('an abort of nothing that the disk refuses is not taken for the end before it', () => {
    const drive = ongoing();
    drive.end();
    drive.autoSync = false;
    const token = drive.end({ commit: false });
    drive.sync({ count: 0, fails: true });
    expect(name(drive, token)).toBe('COORDINATOR_NOT_AVAILABLE');
  });

  test('Prepare is the commit point: it is answered though the markers are late, and they follow', () => {
    const drive = ongoing();
    drive.refusesMarkers = true;
    expect(drive.answers.get(drive.end())).toEqual({ errorCode: 0, producerId: 7, producerEpoch: 1 });
    expect(drive.value.state).toBe('PrepareCommit');
    expect(name(drive, drive.add({ producerEpoch: 1 }))).toBe('CONCURRENT_TRANSACTIONS');
    expect(drive.retries).toBe(1);
    drive.refusesMarkers = false;
    drive.at(drive.now + 1);
    expect(drive.value.state).toBe('CompleteCommit');
    expect(name(drive, drive.add())).toBe('NONE');
  });

  test('a crash between Prepare and the markers, or between them and Complete, is completed at the start', () => {
    for (const commit of [true, false]) {
      for (const kept of [1, 2]) {
        const drive = ongoing();
        drive.autoSync = false;
        drive.end({ commit });
        drive.autoSync = true;
        drive.crash(kept);
        expect(drive.value.state).toBe(commit ? 'CompleteCommit' : 'CompleteAbort');
        expect(drive.markers).toHaveLength(kept);
        expect(new Set(drive.markers.map((one) => one.commit))).toEqual(new Set([commit]));
      }
    }
  });

  test('an id that could not be stored at all is refused, and nothing is remembered', () => {
    const drive = new TransactionDriver();
    drive.refusesRecords = true;
    expect(drive.code(drive.init())).toBe(CODE.COORDINATOR_NOT_AVAILABLE);
    expect(drive.transaction).toMatchObject({ durable: undefined, storing: [] });
  });
});
