import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { eventually } from '../../test/support/eventually.ts';
import { RawClient } from '../../test/support/raw-client.ts';
import { makeTopic, topicId } from '../../test/support/requests.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import {
  FLOWS,
  position,
  readCommitted,
  stableEnd,
  TransactionalClient,
} from '../../test/support/transactional-client.ts';
import { CODE, errorName } from '../wire/errors.ts';
import {
  addPartitionsToTxn,
  describeTransactions,
  findCoordinator,
  listTransactions,
  offsetCommit,
  txnOffsetCommit,
  writeTxnMarkers,
} from '../wire/schemas/index.ts';

let broker: TestBroker;
let client: RawClient;
let count = 0;

beforeAll(async () => {
  broker = await startTestBroker({ transactionAbortIntervalMs: 20 });
  client = await RawClient.connect(broker.port);
});
afterAll(async () => {
  client?.close();
  await broker?.stop();
});

async function fresh(flow: keyof typeof FLOWS = 'v2'): Promise<{ topic: string; tx: TransactionalClient }> {
  count += 1;
  const topic = `t${count}`;
  await makeTopic(client, topic, { partitions: 2 });
  const tx = new TransactionalClient(client, `tx${count}`, flow);
  return { topic, tx };
}

for (const flow of ['classic', 'v2'] as const) {
  describe(`a transaction, ${flow} flow`, () => {
    test('what is committed is seen whole, and only then', async () => {
      const { topic, tx } = await fresh(flow);
      expect(await tx.init()).toBe('NONE');
      expect(await tx.send(topic, ['a', 'b'])).toBe('NONE');
      expect(await tx.send(topic, ['c'], 1)).toBe('NONE');
      expect(await readCommitted(client, topic)).toEqual([]);
      expect(await stableEnd(client, topic)).toBe(0);
      expect(await tx.end(true)).toBe('NONE');
      expect(await readCommitted(client, topic)).toEqual(['a', 'b']);
      expect(await readCommitted(client, topic, 1)).toEqual(['c']);
      expect(await stableEnd(client, topic)).toBe(3);
    });

    test('what is aborted is never seen, and the next transaction begins at once', async () => {
      const { topic, tx } = await fresh(flow);
      await tx.init();
      for (const [value, commit] of [
        ['a', false],
        ['b', true],
        ['c', false],
        ['d', true],
      ] as const) {
        expect(await tx.send(topic, [value])).toBe('NONE');
        expect(await tx.end(commit)).toBe('NONE');
      }
      expect(await readCommitted(client, topic)).toEqual(['b', 'd']);
    });

    test('a second producer of the same id fences the first, whose open transaction is aborted', async () => {
      const { topic, tx } = await fresh(flow);
      await tx.init();
      await tx.send(topic, ['lost']);
      const second = new TransactionalClient(client, tx.transactionalId, flow);
      expect(await second.init()).toBe('CONCURRENT_TRANSACTIONS');
      expect(await second.init()).toBe('NONE');
      expect(second.producerId).toBe(tx.producerId);
      expect(second.producerEpoch).toBe(tx.producerEpoch + 2);
      expect(await tx.produce(topic, ['late'])).toBe('INVALID_PRODUCER_EPOCH');
      expect(await tx.end(true)).toBe('PRODUCER_FENCED');
      expect(await second.send(topic, ['kept'])).toBe('NONE');
      expect(await second.end(true)).toBe('NONE');
      expect(await readCommitted(client, topic)).toEqual(['kept']);
    });

    test('a transaction past its timeout is aborted, and its producer fenced', async () => {
      const { topic, tx } = await fresh(flow);
      await tx.init({ timeoutMs: 30 });
      await tx.send(topic, ['lost']);
      await eventually(async () => expect(await stableEnd(client, topic)).toBe(2));
      expect(await tx.produce(topic, ['late'])).toBe('INVALID_PRODUCER_EPOCH');
      expect(await readCommitted(client, topic)).toEqual([]);
    });

    test('positions are pending until the commit: UNSTABLE_OFFSET_COMMIT with require_stable, unseen without', async () => {
      const { topic, tx } = await fresh(flow);
      const group = `g-${topic}`;
      await tx.init();
      for (const [offset, commit, want] of [
        [7, true, 7],
        [9, false, 7],
        [11, true, 11],
      ] as const) {
        const before = await position(client, group, topic);
        if (flow === 'classic') await tx.addOffsets(group);
        expect(await tx.commitOffset(group, topic, offset)).toBe('NONE');
        expect(await position(client, group, topic)).toBe('UNSTABLE_OFFSET_COMMIT');
        expect(await position(client, group, topic, false)).toBe(before);
        expect(await tx.end(commit)).toBe('NONE');
        expect(await position(client, group, topic)).toBe(want);
      }
    });
  });
}

describe('InitProducerId', () => {
  test('a timeout above transaction.max.timeout.ms, or none, is INVALID_TRANSACTION_TIMEOUT', async () => {
    const { tx } = await fresh();
    expect(await tx.init({ timeoutMs: 900_001 })).toBe('INVALID_TRANSACTION_TIMEOUT');
    expect(await tx.init({ timeoutMs: 0 })).toBe('INVALID_TRANSACTION_TIMEOUT');
    expect(await tx.init({ timeoutMs: 900_000 })).toBe('NONE');
  });

  test('pid 0 and epoch 0 at the very first call, as @platformatic/kafka sends them, give a new producer', async () => {
    const { tx } = await fresh();
    expect(await tx.init({ producerId: 0, producerEpoch: 0 })).toBe('NONE');
    expect(tx.producerEpoch).toBe(0);
  });

  test('an empty id, or half a producer, is INVALID_REQUEST', async () => {
    expect(await new TransactionalClient(client, '').init()).toBe('INVALID_REQUEST');
    const { tx } = await fresh();
    expect(await tx.init({ producerId: 3 })).toBe('INVALID_REQUEST');
  });

  test('a replaced producer is PRODUCER_FENCED from v4, INVALID_PRODUCER_EPOCH in v3', async () => {
    const { tx } = await fresh();
    await tx.init();
    const old = { producerId: tx.producerId, producerEpoch: tx.producerEpoch };
    await tx.init();
    expect(await tx.init({ ...old, version: 4 })).toBe('PRODUCER_FENCED');
    expect(await tx.init({ ...old, version: 3 })).toBe('INVALID_PRODUCER_EPOCH');
  });
});

describe('codes that old clients do not know', () => {
  test('PRODUCER_FENCED is INVALID_PRODUCER_EPOCH below v2 of AddPartitionsToTxn, AddOffsetsToTxn and EndTxn', async () => {
    const { topic, tx } = await fresh('classic');
    await tx.init();
    tx.producerEpoch += 1;
    for (const version of [0, 1]) {
      expect(await tx.add(topic, [0], version)).toBe('INVALID_PRODUCER_EPOCH');
      expect(await tx.addOffsets('g', version)).toBe('INVALID_PRODUCER_EPOCH');
      expect(await tx.end(true, version)).toBe('INVALID_PRODUCER_EPOCH');
    }
    for (const version of [2, 3]) {
      expect(await tx.add(topic, [0], version)).toBe('PRODUCER_FENCED');
      expect(await tx.addOffsets('g', version)).toBe('PRODUCER_FENCED');
      expect(await tx.end(true, version)).toBe('PRODUCER_FENCED');
    }
  });

  test('a write to a partition that was not added: INVALID_TXN_STATE, TRANSACTION_ABORTABLE from Produce v11', async () => {
    const { topic, tx } = await fresh('classic');
    await tx.init();
    await tx.add(topic, [1]);
    for (const version of [3, 7, 10]) {
      expect(await tx.produce(topic, ['x'], { version })).toBe('INVALID_TXN_STATE');
    }
    expect(await tx.produce(topic, ['x'], { version: 11 })).toBe('TRANSACTION_ABORTABLE');
    expect(await tx.produce(topic, ['x'], { version: 12 })).toBe('NONE');
  });

  test('TxnOffsetCommit without AddOffsetsToTxn: INVALID_TXN_STATE, TRANSACTION_ABORTABLE in v4, added in v5', async () => {
    const { topic, tx } = await fresh('classic');
    await tx.init();
    await tx.add(topic);
    expect(await tx.commitOffset('g-not-added', topic, 1, { version: 3 })).toBe('INVALID_TXN_STATE');
    expect(await tx.commitOffset('g-not-added', topic, 1, { version: 4 })).toBe('TRANSACTION_ABORTABLE');
    expect(await tx.commitOffset('g-not-added', topic, 1, { version: 5 })).toBe('NONE');
  });
});

describe('AddPartitionsToTxn', () => {
  test('an unknown partition leaves the others OPERATION_NOT_ATTEMPTED', async () => {
    const { topic, tx } = await fresh();
    await tx.init();
    const { resultsByTopicV3AndBelow } = await client.call(addPartitionsToTxn, 3, {
      v3AndBelowTransactionalId: tx.transactionalId,
      v3AndBelowProducerId: tx.producerId,
      v3AndBelowProducerEpoch: tx.producerEpoch,
      v3AndBelowTopics: [{ name: topic, partitions: [0, 9] }],
      transactions: [],
    });
    const codes = resultsByTopicV3AndBelow[0]!.resultsByPartition.map((one) =>
      errorName(one.partitionErrorCode),
    );
    expect(codes).toEqual(['OPERATION_NOT_ATTEMPTED', 'UNKNOWN_TOPIC_OR_PARTITION']);
  });

  test('v4 and v5 take several transactions of clients at once, and verifyOnly adds nothing', async () => {
    const [one, two] = [await fresh(), await fresh()];
    await one.tx.init();
    await two.tx.init();
    const ask = async (version: number, verifyOnly: boolean) => {
      const { resultsByTransaction } = await client.call(addPartitionsToTxn, version, {
        transactions: [one, two].map(({ tx, topic }) => ({
          transactionalId: tx.transactionalId,
          producerId: tx.producerId,
          producerEpoch: tx.producerEpoch,
          verifyOnly,
          topics: [{ name: topic, partitions: [0] }],
        })),
        v3AndBelowTransactionalId: '',
        v3AndBelowProducerId: 0,
        v3AndBelowProducerEpoch: 0,
        v3AndBelowTopics: [],
      });
      return resultsByTransaction.map(({ topicResults }) =>
        errorName(topicResults[0]!.resultsByPartition[0]!.partitionErrorCode),
      );
    };
    expect(await ask(4, true)).toEqual(['INVALID_TXN_STATE', 'INVALID_TXN_STATE']);
    expect(await ask(5, true)).toEqual(['TRANSACTION_ABORTABLE', 'TRANSACTION_ABORTABLE']);
    expect(await ask(5, false)).toEqual(['NONE', 'NONE']);
    expect(await ask(4, true)).toEqual(['NONE', 'NONE']);
  });

  test('an empty id is INVALID_REQUEST, an unknown one INVALID_PRODUCER_ID_MAPPING, also for the others', async () => {
    const { topic } = await fresh();
    const empty = new TransactionalClient(client, '', 'classic');
    expect([await empty.add(topic), await empty.addOffsets('g'), await empty.end(true)]).toEqual(
      Array.from({ length: 3 }, () => 'INVALID_REQUEST'),
    );
    const unknown = new TransactionalClient(client, 'never-seen', 'classic');
    expect([await unknown.add(topic), await unknown.addOffsets('g'), await unknown.end(true)]).toEqual(
      Array.from({ length: 3 }, () => 'INVALID_PRODUCER_ID_MAPPING'),
    );
  });
});

describe('TxnOffsetCommit', () => {
  test('below version 2 of transactions, transactional id and producer id need not belong together', async () => {
    const { topic, tx } = await fresh('classic');
    await tx.init();
    await tx.addOffsets('g-mixed');
    const mixed = new TransactionalClient(client, 'another-id', 'classic');
    mixed.producerId = tx.producerId;
    mixed.producerEpoch = tx.producerEpoch;
    expect(await mixed.commitOffset('g-mixed', topic, 5)).toBe('NONE');
    await tx.end(true);
    expect(await position(client, 'g-mixed', topic)).toBe(5);
  });

  test('of a producer without any transaction it is taken, and hangs nothing', async () => {
    const { topic } = await fresh('classic');
    const foo = new TransactionalClient(client, 'foo', 'classic');
    foo.producerId = 999_999;
    foo.producerEpoch = 999;
    for (const version of [0, 1, 2, 3]) {
      expect(await foo.commitOffset('g-foo', topic, 5, { version })).toBe('NONE');
    }
    expect(await position(client, 'g-foo', topic)).toBe(-1);
  });

  test('v3 and later validate member and generation', async () => {
    const { topic, tx } = await fresh('classic');
    await tx.init();
    await tx.addOffsets('g-members');
    const named = { memberId: 'nobody', generation: 3 };
    expect(await tx.commitOffset('g-members', topic, 1, named)).toBe('ILLEGAL_GENERATION');
    await tx.commitOffset('g-members', topic, 1);
    expect(await tx.commitOffset('g-members', topic, 1, named)).toBe('UNKNOWN_MEMBER_ID');
    expect(await tx.commitOffset('g-members', topic, 1, { ...named, version: 2 })).toBe('NONE');
  });

  test('v6 names topics by id; UNKNOWN_TOPIC_ID where there is none of it', async () => {
    const { topic, tx } = await fresh();
    await tx.init();
    const known = await topicId(client, topic);
    const unknown = '00000000-0000-4000-8000-000000000001';
    const partitions = [{ partitionIndex: 0, committedOffset: 5, committedMetadata: null }];
    const { topics } = await client.call(txnOffsetCommit, 6, {
      transactionalId: tx.transactionalId,
      groupId: 'g-by-id',
      producerId: tx.producerId,
      producerEpoch: tx.producerEpoch,
      topics: [known, unknown].map((id) => ({ topicId: id, partitions })),
    });
    expect(topics.map((one) => [one.topicId, errorName(one.partitions[0]!.errorCode)])).toEqual([
      [known, 'NONE'],
      [unknown, 'UNKNOWN_TOPIC_ID'],
    ]);
    await tx.end(true);
    expect(await position(client, 'g-by-id', topic)).toBe(5);
  });

  test('a later commit outside of the transaction wins over the pending one, as its record is newer', async () => {
    const { topic, tx } = await fresh();
    const group = `g-${topic}`;
    await tx.init();
    await tx.commitOffset(group, topic, 5);
    const plain = await client.call(offsetCommit, 8, {
      groupId: group,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      topics: [
        { name: topic, partitions: [{ partitionIndex: 0, committedOffset: 3, committedMetadata: null }] },
      ],
    });
    expect(plain.topics[0]!.partitions[0]!.errorCode).toBe(0);
    await tx.end(true);
    expect(await position(client, group, topic)).toBe(3);
  });
});

describe('for operators', () => {
  test('DescribeTransactions tells state, producer, timeout and partitions; TRANSACTIONAL_ID_NOT_FOUND else', async () => {
    const { topic, tx } = await fresh();
    await tx.init({ timeoutMs: 5_000 });
    await tx.send(topic, ['a'], 1);
    const { transactionStates } = await client.call(describeTransactions, 0, {
      transactionalIds: [tx.transactionalId, 'never-seen'],
    });
    expect(transactionStates).toMatchObject([
      {
        errorCode: 0,
        transactionalId: tx.transactionalId,
        transactionState: 'Ongoing',
        transactionTimeoutMs: 5_000,
        producerId: tx.producerId,
        producerEpoch: 0,
        topics: [{ topic, partitions: [1] }],
      },
      { errorCode: CODE.TRANSACTIONAL_ID_NOT_FOUND, transactionalId: 'never-seen' },
    ]);
    await tx.end(true);
  });

  test('ListTransactions filters by state, producer and duration, and names states that do not exist', async () => {
    const [one, two] = [await fresh(), await fresh()];
    await one.tx.init();
    await two.tx.init();
    await one.tx.send(one.topic, ['a']);
    const list = async (filters: object) => {
      const answer = await client.call(listTransactions, 1, {
        stateFilters: [],
        producerIdFilters: [one.tx.producerId, two.tx.producerId],
        ...filters,
      });
      return {
        unknown: answer.unknownStateFilters,
        found: answer.transactionStates.map((state) => [state.transactionalId, state.transactionState]),
      };
    };
    const ongoing = [one.tx.transactionalId, 'Ongoing'];
    const empty = [two.tx.transactionalId, 'Empty'];
    expect(await list({})).toEqual({ unknown: [], found: [ongoing, empty] });
    expect((await list({ stateFilters: ['Empty'] })).found).toEqual([empty]);
    expect(await list({ stateFilters: ['Nonsense'] })).toEqual({ unknown: ['Nonsense'], found: [] });
    expect((await list({ producerIdFilters: [one.tx.producerId] })).found).toEqual([ongoing]);
    expect((await list({ durationFilter: 1_000_000 })).found).toEqual([]);
    await eventually(async () => expect((await list({ durationFilter: 1 })).found).toEqual([ongoing]));
    await one.tx.end(false);
  });

  test('ListTransactions v2 lists ids that a whole expression matches; INVALID_REGULAR_EXPRESSION for a malformed one', async () => {
    const { tx } = await fresh();
    await tx.init();
    const id = tx.transactionalId;
    const list = async (transactionalIdPattern: string | null) => {
      const { errorCode, transactionStates } = await client.call(listTransactions, 2, {
        stateFilters: [],
        producerIdFilters: [tx.producerId],
        transactionalIdPattern,
      });
      return errorCode === 0 ? transactionStates.map((one) => one.transactionalId) : errorCode;
    };
    for (const all of [null, '', '.*', id]) expect(await list(all)).toEqual([id]);
    for (const part of [id.slice(1), `${id}x`, id.slice(0, 1)]) expect(await list(part)).toEqual([]);
    expect(await list('(')).toBe(CODE.INVALID_REGULAR_EXPRESSION);
  });

  test('FindCoordinator finds the coordinator of a transactional id (key type 1) at the first call', async () => {
    const { coordinators } = await client.call(findCoordinator, 4, {
      keyType: 1,
      coordinatorKeys: ['new-id'],
    });
    expect(coordinators[0]).toMatchObject({ key: 'new-id', errorCode: 0, port: broker.port });
  });

  test('WriteTxnMarkers ends a transaction in one partition, UNKNOWN_TOPIC_OR_PARTITION where there is none', async () => {
    const { topic, tx } = await fresh('classic');
    await tx.init();
    await tx.send(topic, ['a']);
    const { markers } = await client.call(writeTxnMarkers, 1, {
      markers: [
        {
          producerId: tx.producerId,
          producerEpoch: tx.producerEpoch,
          transactionResult: false,
          topics: [{ name: topic, partitionIndexes: [0, 9] }],
          coordinatorEpoch: 100,
        },
      ],
    });
    const codes = markers[0]!.topics[0]!.partitions.map((one) => errorName(one.errorCode));
    expect(codes).toEqual(['NONE', 'UNKNOWN_TOPIC_OR_PARTITION']);
    expect(await stableEnd(client, topic)).toBe(2);
    expect(await readCommitted(client, topic)).toEqual([]);
  });
});

describe('a restart', () => {
  test('an open transaction goes on, its positions still pending; then positions and markers hold', async () => {
    const own = await startTestBroker();
    let raw = await RawClient.connect(own.port);
    await makeTopic(raw, 'lasting');
    const before = new TransactionalClient(raw, 'lasting');
    await before.init();
    await before.send('lasting', ['a']);
    await before.commitOffset('lasting', 'lasting', 4);
    raw.close();
    await own.restart();
    raw = await RawClient.connect(own.port);
    expect(await position(raw, 'lasting', 'lasting')).toBe('UNSTABLE_OFFSET_COMMIT');
    const after = new TransactionalClient(raw, 'lasting');
    Object.assign(after, { producerId: before.producerId, producerEpoch: before.producerEpoch });
    expect(await after.end(true)).toBe('NONE');
    expect(await position(raw, 'lasting', 'lasting')).toBe(4);
    raw.close();
    await own.restart();
    raw = await RawClient.connect(own.port);
    expect(await position(raw, 'lasting', 'lasting')).toBe(4);
    expect(await readCommitted(raw, 'lasting')).toEqual(['a']);
    raw.close();
    await own.stop();
  });
});
