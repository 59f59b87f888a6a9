import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import kafkajs from 'kafkajs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { nodeFiles } from '../../../broker/host/node-files.ts';
import { verifyLog } from '../../../broker/log/inspect/verify.ts';
import { initProducerId } from '../../../broker/wire/schemas/index.ts';
import { RawClient } from '../../support/raw-client.ts';
import { startTestBroker } from '../../support/test-broker.ts';
import { type Expected, type StoredDirectory, summary, unpackDirectory } from './stored.ts';

/** One of each format, as it was written at the time: never made again, only added to. */
const DIRECTORIES = ['format-1-first.json', 'format-1.json'];

let dataDir: string;
beforeEach(async () => {
  dataDir = await fs.mkdtemp(join(tmpdir(), 'millrace-old-directory-'));
});
afterEach(() => fs.rm(dataDir, { recursive: true, force: true }));

describe.each(DIRECTORIES)('%s', (name) => {
  test('is sound, and is read completely: segments, what was not in them yet, transactions, offsets', async () => {
    const text = await fs.readFile(join(import.meta.dirname, name), 'utf8');
    const stored = JSON.parse(text) as StoredDirectory;
    await unpackDirectory(stored, dataDir);
    expect((await verifyLog(nodeFiles, { path: dataDir })).report.findings).toEqual([]);

    const broker = await startTestBroker({ dataDir });
    try {
      expect(await readAll(broker.address, stored.expected)).toEqual(stored.expected);
      const client = await RawClient.connect(broker.port);
      const idempotent = { transactionalId: null, transactionTimeoutMs: 0 };
      const { producerId } = await client.call(initProducerId, 4, {
        ...idempotent,
        producerId: -1,
        producerEpoch: -1,
      });
      client.close();
      expect(producerId).toBeGreaterThanOrEqual(stored.expected.nextProducerId);
      await broker.restart();
      expect(await readAll(broker.address, stored.expected)).toEqual(stored.expected);
    } finally {
      await broker.halt();
    }
    // Written to by this version, it is still sound.
    const { findings } = (await verifyLog(nodeFiles, { path: dataDir })).report;
    expect(findings.filter(({ severity }) => severity === 'damage')).toEqual([]);
  });
});

/** What a client sees, in the form of what was written down when the directory was made. */
async function readAll(address: string, expected: Expected): Promise<Expected> {
  const kafka = new kafkajs.Kafka({ brokers: [address], logLevel: kafkajs.logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const partitions: Record<string, Expected['partitions'][string]> = {};
  const topics = [...new Set(Object.keys(expected.partitions).map((one) => one.replace(/-\d+$/, '')))];
  for (const topic of topics) {
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
      const key = `${topic}-${partition}`;
      partitions[key] = { start: Number(low), end: Number(high), committed: {} };
    }
  }
  const wanted = (): boolean =>
    Object.entries(expected.partitions).every(([key, { committed }]) =>
      Object.keys(committed).every((offset) => partitions[key]?.committed[offset] !== undefined),
    );
  const consumer = kafka.consumer({ groupId: `fixture-${Math.trunc(performance.now())}` });
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  const done = Promise.withResolvers<void>();
  await consumer.run({
    eachMessage: ({ topic, partition, message: { offset, key, value } }) => {
      const { committed } = partitions[`${topic}-${partition}`]!;
      // Of a compacted topic, older ones may still be there.
      if (topic !== 'compacted' || expected.partitions[`${topic}-${partition}`]!.committed[offset])
        committed[offset] = summary(String(key), String(value));
      if (wanted()) done.resolve();
      return Promise.resolve();
    },
  });
  await done.promise;
  await consumer.disconnect();
  const offsets: Record<string, number> = {};
  for (const { topic, partitions: of } of await admin.fetchOffsets({
    groupId: 'readers',
    topics: ['plain'],
  })) {
    for (const { partition, offset } of of) offsets[`readers ${topic}-${partition}`] = Number(offset);
  }
  const { clusterId } = await admin.describeCluster();
  await admin.disconnect();
  return { clusterId, partitions, offsets, nextProducerId: expected.nextProducerId };
}
