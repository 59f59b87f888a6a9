/**
 * Writes a data directory of today's format, to be read by all later versions:
 *
 *     node test/golden/data-directory/make.ts test/golden/data-directory/format-1.json 'what it is of'
 *
 * A client produces to a broker that is closed in order, so that there are segments; then more, of which a copy of the
 * directory is taken as a kill would leave it, so that there is a write-ahead log to replay.
 */
import { readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import kafkajs, { type Kafka } from 'kafkajs';

import { startTestBroker } from '../../support/test-broker.ts';
import { type Expected, packDirectory, type StoredDirectory, summary } from './stored.ts';

type Committed = Expected['partitions'][string]['committed'];

const [output, about] = process.argv.slice(2);
if (!output || !about) throw new Error('want a file to write, and what it is of');

const broker = await startTestBroker({ logCleanerBackoffMs: 500 });
const kafka = new kafkajs.Kafka({ brokers: [broker.address], logLevel: kafkajs.logLevel.ERROR });
const topics = ['plain', 'transactional', 'compacted', 'cut'];
const admin = kafka.admin();
await admin.connect();
await admin.createTopics({
  topics: topics.map((topic) => ({
    topic,
    numPartitions: topic === 'plain' ? 2 : 1,
    configEntries: [
      // The least that is allowed; the padding that fills it packs well.
      { name: 'segment.bytes', value: String(1024 * 1024) },
      ...(topic === 'compacted'
        ? [
            { name: 'cleanup.policy', value: 'compact' },
            { name: 'min.cleanable.dirty.ratio', value: '0.01' },
          ]
        : []),
    ],
  })),
});
const written: Record<string, Committed> = {};
await produceAll('segments');
// The client knows no leader of a topic that it has not asked for.
await admin.fetchTopicOffsets('cut');
await admin.deleteTopicRecords({ topic: 'cut', partitions: [{ partition: 0, offset: '3' }] });
await admin.setOffsets({ groupId: 'readers', topic: 'plain', partitions: [{ partition: 0, offset: '4' }] });
await until(async () => (await fs.readdir(directoryOf('compacted'))).some((name) => name.includes('-')));
await broker.restart();
await produceAll('write-ahead log');
await admin.setOffsets({ groupId: 'readers', topic: 'plain', partitions: [{ partition: 1, offset: '2' }] });
const copy = await fs.mkdtemp(join(tmpdir(), 'millrace-directory-'));
await fs.cp(broker.config.dataDir, copy, { recursive: true });

const partitions: Record<string, Expected['partitions'][string]> = {};
for (const topic of topics) {
  for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
    partitions[`${topic}-${partition}`] = {
      start: Number(low),
      end: Number(high),
      committed: latestOnly(topic, written[`${topic}-${partition}`] ?? {}, Number(low)),
    };
  }
}
const { clusterId } = await admin.describeCluster();
const stored: StoredDirectory = {
  about,
  expected: {
    clusterId,
    partitions,
    offsets: { 'readers plain-0': 4, 'readers plain-1': 2 },
    nextProducerId: nextBlock(),
  },
  files: await packDirectory(copy),
};
await fs.writeFile(output, `${JSON.stringify(stored, undefined, 1)}\n`);
await admin.disconnect();
await broker.stop();
await fs.rm(copy, { recursive: true });

async function produceAll(phase: string): Promise<void> {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  for (let i = 0; i < 8; i += 1) {
    await send(producer, 'plain', i % 2, `k${i}`, `${phase} ${i} ${'x'.repeat(i * 60_000)}`, i % 3 === 0);
    await send(producer, 'compacted', 0, `k${i % 3}`, `${phase} ${i} ${'y'.repeat(300_000)}`);
    if (phase === 'segments') await send(producer, 'cut', 0, 'k', `${i}`);
  }
  await producer.disconnect();
  await transactions(kafka, phase);
}

async function transactions(client: Kafka, phase: string): Promise<void> {
  const producer = client.producer({ transactionalId: 'writer', idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  for (const end of ['commit', 'abort', 'commit'] as const) {
    const transaction = await producer.transaction();
    await send(transaction, 'transactional', 0, end, `${phase} ${end}`, false, end === 'commit');
    await transaction[end]();
  }
  await producer.disconnect();
}

async function send(
  producer: Pick<ReturnType<Kafka['producer']>, 'send'>,
  topic: string,
  partition: number,
  key: string,
  value: string,
  packed = false,
  isCommitted = true,
): Promise<void> {
  const compression = packed ? kafkajs.CompressionTypes.GZIP : kafkajs.CompressionTypes.None;
  const messages = [{ partition, key, value, timestamp: '1700000000000' }];
  const [answer] = await producer.send({ topic, messages, compression });
  if (isCommitted) (written[`${topic}-${partition}`] ??= {})[answer!.baseOffset!] = summary(key, value);
}

/** Ids below were given, or may have been. */
function nextBlock(): number {
  const text = readFileSync(join(copy, 'producer-ids.json'), 'utf8').split('\n')[1]!;
  return (JSON.parse(text) as { nextBlock: number }).nextBlock;
}

/** What must still be there: all, or of a compacted topic the last of each key. */
function latestOnly(topic: string, all: Committed, start: number): Committed {
  const latest = new Map<string, string>();
  for (const [offset, text] of Object.entries(all)) {
    if (Number(offset) < start) continue;
    latest.set(topic === 'compacted' ? text.split('=')[0]! : offset, offset);
  }
  return Object.fromEntries([...latest.values()].map((offset) => [offset, all[offset]!]));
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 50));
}

function directoryOf(topic: string): string {
  return join(broker.config.dataDir, 'topics', topicIds()[topic]!, '0');
}

function topicIds(): Record<string, string> {
  const text = readFileSync(join(broker.config.dataDir, 'topics.json'), 'utf8').split('\n')[1]!;
  const { topics: entries } = JSON.parse(text) as { topics: Array<{ name: string; id: string }> };
  return Object.fromEntries(entries.map(({ name, id }) => [name, id]));
}
