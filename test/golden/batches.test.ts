import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  baseTimestampOf,
  batchSizeOf,
  leaderEpochOf,
  producerEpochOf,
  producerIdOf,
  stampBatch,
} from '../../broker/log/batch/batch-header.ts';
import type { DiskLog } from '../../broker/log/disk-log.ts';
import { openDiskLog } from '../../broker/log/open-log.ts';
import type { Partition } from '../../broker/log/partition/partition.ts';
import { markerOf } from '../../broker/log/producers/transaction-marker.ts';
import { batchesOf } from '../../broker/state/record-batch.ts';
import { SimMachine } from '../sim/sim-host.ts';
import { recordBatch } from '../support/record-batch.ts';
import { readGoldenBatches } from './batches.ts';

const golden = readGoldenBatches();
let machine: SimMachine;
let log: DiskLog;
let partition: Partition;

beforeEach(async () => {
  machine = new SimMachine(5);
  log = await machine.loop.settle(openDiskLog({ dataDir: '/data', reserveBytes: 0 }, machine.boot()));
  await machine.loop.settle(log.createTopic({ name: 't', partitions: 1, configs: {} }));
  partition = log.topic('t')!.partitions[0] as Partition;
});
afterEach(() => machine.loop.settle(log.close()));

describe('what clients sent, as Apache Kafka stored it, is what we store', () => {
  for (const { client, kind, stored, sent } of golden) {
    if (sent === undefined) continue;
    test(`a batch of ${client}, ${kind}`, async () => {
      await append(Buffer.from(sent, 'base64'), kind === 'transactional');
      expect(unplaced(await lastStored())).toBe(unplaced(Buffer.from(stored, 'base64')));
    });
  }
});

describe('the markers that Apache Kafka writes are those that we write', () => {
  for (const { client, kind, stored } of golden) {
    if (kind !== 'commit' && kind !== 'abort') continue;
    test(`${kind} of a transaction of ${client}`, async () => {
      const want = Buffer.from(stored, 'base64');
      const { commit, coordinatorEpoch } = markerOf(want)!;
      expect(commit).toBe(kind === 'commit');
      const producerId = producerIdOf(want);
      const producerEpoch = producerEpochOf(want);
      const timestampMs = baseTimestampOf(want);
      const begun = { values: ['v'], producerId, producerEpoch, baseSequence: 0, attributes: 0x10 };
      await append(recordBatch(begun), true);
      const end = { producerId, producerEpoch, coordinatorEpoch, commit, transactionVersion: 1 } as const;
      await machine.loop.settle(partition.appendMarker(end, timestampMs).durable);
      expect(unplaced(await lastStored())).toBe(unplaced(want));
    });
  }
});

test('there are markers of both kinds, and batches of idempotent and transactional producers', () => {
  expect([...new Set(golden.map(({ kind }) => kind))].toSorted()).toEqual([
    'abort',
    'commit',
    'idempotent',
    'transactional',
  ]);
});

test('the leader epoch of stored batches is one that was given, not what clients sent', async () => {
  for (const { stored } of golden) {
    expect(leaderEpochOf(Buffer.from(stored, 'base64'))).toBeGreaterThanOrEqual(0);
  }
  await append(recordBatch({ values: ['v'] }), false);
  expect(leaderEpochOf(await lastStored())).toBeGreaterThanOrEqual(0);
});

async function append(batch: Buffer, isTransactional: boolean): Promise<void> {
  const transactionVersion = isTransactional ? 1 : undefined;
  const options = { nowMs: 1_700_000_000_000, origin: 'client', transactionVersion } as const;
  await machine.loop.settle(partition.append(Buffer.from(batch), options).durable);
}

async function lastStored(): Promise<Buffer> {
  const bytes = await machine.loop.settle(partition.read(0, 1_000_000, true));
  return [...batchesOf(bytes)].at(-1)!;
}

/** In hex, without offset and leader epoch, which are the log's own; the CRC does not cover them and has to agree. */
function unplaced(batch: Buffer): string {
  const copy = Buffer.from(batch.subarray(0, batchSizeOf(batch)));
  stampBatch(copy, 0, 0);
  return copy.toString('hex');
}
