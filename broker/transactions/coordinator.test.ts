import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { recordBatch } from '../../test/support/record-batch.ts';
import { brokerConfig } from '../config.ts';
import { GroupCoordinator } from '../groups/coordinator.ts';
import type { Host } from '../host/host.ts';
import { nodeHost } from '../host/node-host.ts';
import type { DiskLog } from '../log/disk-log.ts';
import { openDiskLog } from '../log/open-log.ts';
import { openFeatures } from '../server/features.ts';
import { partitionOf, TRANSACTIONS_TOPIC } from '../state/internal-topic.ts';
import { TransactionCoordinator } from './coordinator.ts';
import { openProducerIds } from './producer-ids.ts';

const TRANSACTIONAL = 0x10;
const PLACE = { topic: 't', partition: 0 };
const config = brokerConfig.parse({ dataDir: 'unused', transactionTopicPartitions: 2 });

let directory: string;
let host: Host;
let log: DiskLog;
let groups: GroupCoordinator;
let transactions: TransactionCoordinator;
let said: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-transactions-'));
  said = [];
  const real = nodeHost();
  host = { ...real, log: { ...real.log, warn: (_: object, message: string) => void said.push(message) } };
  log = await openDiskLog({ dataDir: directory }, host);
  groups = new GroupCoordinator(config, host, log);
  await groups.start();
  await open();
  await log.createTopic({ name: 't', partitions: 1, configs: {} });
});

afterEach(async () => {
  transactions.stop();
  groups.stop();
  await log.close();
  await rm(directory, { recursive: true, force: true });
});

async function open(): Promise<void> {
  const producerIds = await openProducerIds(host.files, directory);
  const features = await openFeatures(host.files, directory);
  transactions = new TransactionCoordinator(config, host, { log, groups, producerIds, features });
  await transactions.start();
}

/** A new coordinator over the same log, as after a restart. */
async function reopen(): Promise<void> {
  transactions.stop();
  await open();
}

function init(transactionalId: string) {
  return transactions.initProducerId(transactionalId, { timeoutMs: 60_000, expected: undefined });
}

async function write(producer: { producerId: number; producerEpoch: number }): Promise<void> {
  const { producerId, producerEpoch } = producer;
  const records = { values: ['v'], producerId, producerEpoch, baseSequence: 0, attributes: TRANSACTIONAL };
  const partition = log.topic('t')!.partitions[0]!;
  await partition.append(recordBatch(records), { nowMs: Date.now(), origin: 'client', transactionVersion: 2 })
    .durable;
}

test('a busy __transaction_state stays small by compaction, and a restart knows all that is true', async () => {
  await init('quiet');
  const open = await init('open');
  await transactions.addPartitions('open', open, [PLACE], 2);
  let busy = await init('busy');
  const topic = log.topic(TRANSACTIONS_TOPIC)!;
  expect(topic.configs['cleanup.policy']).toBe('compact');
  // The same with fewer transactions.
  await log.alterConfigs(topic.name, { ...topic.configs, 'segment.bytes': '10000' });
  const partition = topic.partitions[partitionOf('busy', 2)]!;
  let largest = 0;
  for (let round = 0; round < 5; round += 1) {
    for (let i = 0; i < 60; i += 1) {
      await transactions.addPartitions('busy', busy, [PLACE], 2);
      busy = await transactions.end('busy', { ...busy, commit: true, version: 2 });
      expect(busy.errorCode).toBe(0);
    }
    await log.checkpoint();
    await log.compact();
    largest = Math.max(largest, partition.sizeBytes);
  }
  expect(partition.endOffset).toBeGreaterThan(900);
  // A record is 150 bytes at least.
  expect(largest).toBeLessThan(60_000);
  const before = [...transactions.list()];
  await reopen();
  const known = (list: typeof before) =>
    list
      .map(({ transactionalId, value }) => [transactionalId, { ...value, lastProducerEpoch: -1 }] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
  expect(known([...transactions.list()])).toEqual(known(before));
  expect(transactions.get('busy')).toMatchObject({
    state: 'CompleteCommit',
    producerEpoch: busy.producerEpoch,
  });
  expect(transactions.get('open')?.state).toBe('Ongoing');
  expect(await transactions.end('open', { ...open, commit: true, version: 2 })).toMatchObject({
    errorCode: 0,
  });
});

test('a transaction that no coordinator will end is found at the start, said and counted until somebody ends it', async () => {
  const stranger = { producerId: 77, producerEpoch: 0 };
  await write(stranger);
  const known = await init('known');
  await transactions.addPartitions('known', known, [PLACE], 2);
  await write(known);
  await reopen();
  expect(said).toEqual([
    'a transaction of producer 77 hangs in t-0 from offset 0 on: nobody will end it; abort it with kafka-transactions',
  ]);
  expect(hanging()).toBe(1);
  const marker = { ...stranger, commit: false, coordinatorEpoch: 0, transactionVersion: 1 } as const;
  expect(await transactions.writeMarker(PLACE, marker)).toBe(0);
  expect(hanging()).toBe(0);
});

function hanging(): number | undefined {
  const family = host.metrics.snapshot().find(({ name }) => name === 'millrace_broker_hanging_transactions');
  return family?.series[0]?.value;
}
