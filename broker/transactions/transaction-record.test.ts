import { expect, test } from 'vitest';

import { placesOf } from './place.ts';
import { readTransactionRecord, transactionRecord } from './transaction-record.ts';
import { newValue, STATES } from './transaction-value.ts';

const value = {
  ...newValue(0x0102, 5),
  state: 'PrepareCommit',
  producerEpoch: 3,
  nextProducerId: 9,
  previousProducerId: 0x0102,
  timeoutMs: 60_000,
  partitions: placesOf([
    { topic: 'a', partition: 1 },
    { topic: 'a', partition: 2 },
  ]),
  startMs: 4,
  version: 2,
} as const;

test("key and value are Kafka's bytes: classic key, flexible value with the producer ids as tagged fields", () => {
  const { key, value: bytes } = transactionRecord('tx', value);
  expect(Buffer.from(key!).toString('hex')).toBe('0000' + '0002' + '7478');
  expect(Buffer.from(bytes!).toString('hex')).toBe(
    [
      '0001',
      '0000000000000102',
      '0003',
      '0000ea60',
      '02',
      '02' + '02' + '61' + '03' + '00000001' + '00000002' + '00',
      '0000000000000005',
      '0000000000000004',
      '03' + '00' + '08' + '0000000000000102' + '01' + '08' + '0000000000000009' + '02' + '02' + '0002',
    ].join(''),
  );
});

test('what was written is read again, but for the epoch that only a living producer needs', () => {
  const read = (record: ReturnType<typeof transactionRecord>) =>
    readTransactionRecord({
      offset: 0,
      timestampMs: 0,
      key: Buffer.from(record.key!),
      value: record.value && Buffer.from(record.value),
    });
  expect(read(transactionRecord('tx', { ...value, lastProducerEpoch: 2 }))).toEqual({
    transactionalId: 'tx',
    value,
  });
  expect(read(transactionRecord('tx', null))).toEqual({ transactionalId: 'tx', value: null });
  const empty = { ...newValue(1, 2), producerEpoch: 0 };
  expect(read(transactionRecord('tx', empty))).toEqual({ transactionalId: 'tx', value: empty });
});

test("states have Kafka's numbers", () => {
  expect(STATES.indexOf('Empty')).toBe(0);
  expect(STATES.indexOf('CompleteAbort')).toBe(5);
  expect(STATES.indexOf('Dead')).toBe(6);
  expect(STATES.indexOf('PrepareEpochFence')).toBe(7);
});
