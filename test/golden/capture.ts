/**
 * Captures requests of real clients: `node test/golden/capture.ts`.
 *
 * Runs kafkajs and @platformatic/kafka through a recording proxy against a broker of this tree and keeps the
 * first request of every API and version of each client, whole, in `requests.json`: who sent it, the bytes after
 * the frame's length, and what they say. Whoever captures again reads the difference: the bytes are the clients'
 * word, `says` is ours and has to be true.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Admin, Consumer, MessagesStreamModes, Producer, stringSerializers } from '@platformatic/kafka';
import { Kafka, logLevel } from 'kafkajs';

import { brokerConfig } from '../../broker/config.ts';
import { nodeHost } from '../../broker/host/node-host.ts';
import { start } from '../../broker/main.ts';
import { FrameAssembler, readRequestHeader } from '../../broker/wire/frame.ts';
import { Reader } from '../../broker/wire/reader.ts';
import { decodeRequest, GOLDEN_PATH, type GoldenRequest, plain } from './golden.ts';

const dataDir = await mkdtemp(join(tmpdir(), 'millrace-golden-'));
const captured = new Map<string, GoldenRequest>();
let client = '';

// The proxy takes the port that the broker advertises, so that clients come back through it.
const proxy = createServer((downstream) => {
  const upstream = connect(brokerPort, '127.0.0.1');
  const assembler = new FrameAssembler({ bytesMin: 8, bytesMax: 100_000_000 });
  downstream.on('data', (chunk) => {
    assembler.push(chunk);
    for (let frame = assembler.next(); frame; frame = assembler.next()) record(frame);
  });
  downstream.pipe(upstream).pipe(downstream);
  for (const socket of [downstream, upstream]) socket.on('error', () => socket.destroy());
});
await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve));
const proxyPort = (proxy.address() as { port: number }).port;
const host = nodeHost();
const net = { ...host.net };
const broker = await start(brokerConfig.parse({ dataDir, port: 0 }), {
  ...host,
  net: {
    ...net,
    listen: (address, onSocket) =>
      net.listen(address, (socket) => {
        onSocket({
          ...socket,
          remote: socket.remote,
          local: { host: socket.local.host, port: proxyPort },
        });
      }),
  },
});
const brokerPort = broker.addresses['kafka']!.port;

client = 'kafkajs';
await runKafkajs();
client = 'platformatic';
await runPlatformatic();
await broker.stop(5_000);
proxy.close();
await rm(dataDir, { recursive: true, force: true });

const requests = [...captured.values()].toSorted(
  (a, b) => a.key - b.key || a.version - b.version || (a.client < b.client ? -1 : 1),
);
const before = await readFile(GOLDEN_PATH, 'utf8').catch(() => '');
const after = `${JSON.stringify(requests, undefined, 2)}\n`;
await writeFile(GOLDEN_PATH, after);
console.log(`${requests.length} requests, ${before === after ? 'as before' : 'changed'}`);
process.exit(0);

function record(frame: Buffer): void {
  const { apiKey, apiVersion } = readRequestHeader(new Reader(frame));
  const name = `${client} ${apiKey} ${apiVersion}`;
  if (captured.has(name)) return;
  captured.set(name, {
    client,
    key: apiKey,
    version: apiVersion,
    bytes: frame.toString('base64'),
    says: plain(decodeRequest(frame).body),
  });
}

async function runKafkajs(): Promise<void> {
  const kafka = new Kafka({
    clientId: 'golden',
    brokers: [`127.0.0.1:${proxyPort}`],
    logLevel: logLevel.NOTHING,
  });
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({
    topics: [
      { topic: 'golden', numPartitions: 2, configEntries: [{ name: 'retention.ms', value: '60000' }] },
    ],
  });
  await admin.describeConfigs({
    includeSynonyms: true,
    resources: [{ type: 2, name: 'golden', configNames: ['retention.ms'] }],
  });
  await admin.describeCluster();
  const producer = kafka.producer({ idempotent: true });
  await producer.connect();
  await producer.send({
    topic: 'golden',
    messages: [{ key: 'k', value: 'v', headers: { h: 'x' }, partition: 0, timestamp: '1700000000000' }],
  });
  await producer.disconnect();
  const consumer = kafka.consumer({ groupId: 'golden-group', maxWaitTimeInMs: 50, heartbeatInterval: 50 });
  await consumer.connect();
  await consumer.subscribe({ topic: 'golden', fromBeginning: true });
  const read = new Promise<void>((resolve) => {
    consumer
      .run({
        eachMessage: async (payload) => {
          await payload.heartbeat();
          resolve();
        },
      })
      .catch(() => {});
  });
  await read;
  await consumer.commitOffsets([{ topic: 'golden', partition: 0, offset: '1', metadata: 'm' }]);
  await admin.fetchOffsets({ groupId: 'golden-group', topics: ['golden'] });
  await admin.fetchTopicOffsetsByTimestamp('golden', 1_700_000_000_000);
  await admin.listGroups();
  await admin.describeGroups(['golden-group']);
  await consumer.disconnect();
  await admin.deleteGroups(['golden-group']);
  await admin.deleteTopics({ topics: ['golden'] });
  await admin.disconnect();
}

async function runPlatformatic(): Promise<void> {
  const base = { clientId: 'golden', bootstrapBrokers: [`127.0.0.1:${proxyPort}`] };
  const admin = new Admin(base);
  await admin.createTopics({ topics: ['golden'], partitions: 2, replicas: 1 });
  await admin.listTopics();
  await admin.describeConfigs({
    resources: [{ resourceType: 2, resourceName: 'golden', configurationKeys: ['retention.ms'] }],
  });
  const producer = new Producer({ ...base, serializers: stringSerializers, idempotent: true });
  await producer.send({
    messages: [{ topic: 'golden', key: 'k', value: 'v', partition: 0, timestamp: 1_700_000_000_000n }],
  });
  await producer.close();
  const consumer = new Consumer({ ...base, groupId: 'golden-group', maxWaitTime: 50, heartbeatInterval: 50 });
  const stream = await consumer.consume({
    topics: ['golden'],
    mode: MessagesStreamModes.COMMITTED,
    fallbackMode: 'earliest',
    autocommit: false,
  });
  for await (const message of stream) {
    await message.commit();
    break;
  }
  await consumer.listOffsets({ topics: ['golden'] });
  await admin.listGroups();
  await admin.describeGroups({ groups: ['golden-group'] });
  await admin.listConsumerGroupOffsets({
    groups: [{ groupId: 'golden-group', topics: [{ name: 'golden', partitionIndexes: [0] }] }],
  });
  await consumer.close(true);
  await admin.deleteGroups({ groups: ['golden-group'] });
  await admin.deleteTopics({ topics: ['golden'] });
  await admin.close();
}
