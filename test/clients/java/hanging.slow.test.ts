/**
 * A transaction that hangs: a producer that no coordinator knows wrote into it, which brokers take only where they do
 * not verify partitions. `kafka-transactions` finds and ends it, and leaves the transaction alone that its coordinator
 * knows. The same is expected of our broker and of a real Apache Kafka.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { errorName } from '../../../broker/wire/errors.ts';
import { findCoordinator, produce } from '../../../broker/wire/schemas/index.ts';
import { eventually } from '../../support/eventually.ts';
import { type Java, prepareJava } from '../../support/java.ts';
import { RawClient } from '../../support/raw-client.ts';
import { recordBatch } from '../../support/record-batch.ts';
import { makeTopic } from '../../support/requests.ts';
import { readCommitted, stableEnd, TransactionalClient } from '../../support/transactional-client.ts';
import { startOurBroker } from './our-broker.ts';
import { startRealKafka } from './real-kafka.ts';
import type { TargetBroker } from './target-broker.ts';
import { startTools, type Tools } from './tools.ts';

const TARGETS = (['millrace', 'kafka'] as const).filter(
  (name) => (process.env['MILLRACE_TEST_TARGET'] ?? name) === name,
);

const TOPIC = 'hung';
/** No coordinator has given it to anybody. */
const PRODUCER_ID = 987_654;
const PRODUCER_EPOCH = 3;
const LONG_AGO = Date.now() - 3 * 3_600_000;
const TRANSACTIONAL = 0x10;
const FIND = 'find-hanging --broker-id 1 --max-transaction-timeout 1';
const COLUMNS =
  'Topic Partition ProducerId ProducerEpoch CoordinatorEpoch StartOffset LastTimestamp Duration(min)';
const NONE_FOUND = `exit 0\n${COLUMNS}`;

const java = prepareJava();
const missing = typeof java === 'string' ? java : undefined;

for (const target of TARGETS) {
  if (missing !== undefined) console.log(`skipped: a hanging transaction with ${target}: ${missing}`);
  describe.skipIf(missing !== undefined)(`A hanging transaction with ${target}`, () => {
    let broker: TargetBroker;
    let tools: Tools;
    let client: RawClient;

    beforeAll(async () => {
      broker = await start(target, java as Java);
      tools = startTools(java as Java, broker);
      const [host, port] = broker.bootstrap.split(':');
      client = await RawClient.connect(Number(port), host);
    });
    afterAll(async () => {
      client?.close();
      tools?.close();
      await broker?.stop();
    });

    const transactions = (line: string): Promise<string> =>
      tools.run('kafka-transactions', ...line.split(' '));

    test('is found and aborted by kafka-transactions, and readers of committed records go on', async () => {
      // The batches of the known transaction are older than what topics keep.
      await makeTopic(client, TOPIC, { partitions: 2, configs: { 'retention.ms': '-1' } });
      expect(await transactions(FIND)).toBe(NONE_FOUND);

      const known = await knownTransaction(client);
      await eventually(async () => expect(await known.send(TOPIC, ['of the known one'], 0)).toBe('NONE'));
      await eventually(async () => expect(await write(client, ['before'], {})).toBe('NONE'));
      expect(await write(client, ['hanging'], HANGING)).toBe('NONE');
      expect(await write(client, ['behind'], {})).toBe('NONE');

      expect(await stableEnd(client, TOPIC, 1)).toBe(1);
      expect(await readCommitted(client, TOPIC, 1)).toEqual(['before']);

      const [exit, columns, ...rows] = (await transactions(FIND)).split('\n');
      expect([exit, columns]).toEqual(['exit 0', COLUMNS]);
      expect(rows.map((row) => row.split(' ').slice(0, -1).join(' '))).toEqual([
        `${TOPIC} 1 ${PRODUCER_ID} ${PRODUCER_EPOCH} -1 1 TIME`,
      ]);
      expect(Number(rows[0]!.split(' ').at(-1))).toBeGreaterThanOrEqual(180);
      expect(await transactions(`find-hanging --topic ${TOPIC} --partition 0`)).toBe(NONE_FOUND);

      const elsewhere = await transactions(`abort --topic ${TOPIC} --partition 1 --start-offset 0`);
      expect(elsewhere.split('\n')).toEqual([
        'exit 1',
        `Could not find any open transactions starting at offset 0 on partition ${TOPIC}-1`,
      ]);
      expect(await stableEnd(client, TOPIC, 1)).toBe(1);

      expect(await transactions(`abort --topic ${TOPIC} --partition 1 --start-offset 1`)).toBe('exit 0');
      expect(await transactions(FIND)).toBe(NONE_FOUND);
      // before, hanging, behind and the marker.
      await eventually(async () => expect(await stableEnd(client, TOPIC, 1)).toBe(4));
      expect(await readCommitted(client, TOPIC, 1)).toEqual(['before', 'behind']);

      expect(await stableEnd(client, TOPIC, 0)).toBe(0);
      expect(await known.end(true)).toBe('NONE');
      await eventually(async () =>
        expect(await readCommitted(client, TOPIC, 0)).toEqual(['of the known one']),
      );
    });
  });
}

function start(target: (typeof TARGETS)[number], machine: Java): Promise<TargetBroker> {
  return target === 'kafka'
    ? startRealKafka(machine, { settings: { 'transaction.partition.verification.enable': false } })
    : startOurBroker({ settings: { transactionPartitionVerification: false } });
}

const HANGING = {
  producerId: PRODUCER_ID,
  producerEpoch: PRODUCER_EPOCH,
  baseSequence: 0,
  attributes: TRANSACTIONAL,
} as const;

/** One batch of records from long ago into partition 1; a version in which brokers add no partitions by themselves. */
async function write(
  client: RawClient,
  values: readonly string[],
  producer: Partial<typeof HANGING>,
): Promise<string> {
  const records = recordBatch({ values, baseTimestamp: LONG_AGO, ...producer });
  const { responses } = await client.call(produce, 11, {
    transactionalId: producer.attributes === undefined ? null : 'known to nobody',
    acks: -1,
    timeoutMs: 5_000,
    topicData: [{ name: TOPIC, partitionData: [{ index: 1, records }] }],
  });
  return errorName(responses[0]!.partitionResponses[0]!.errorCode);
}

/** A producer that its coordinator knows; a search for coordinators makes Kafka create the topic they need. */
async function knownTransaction(client: RawClient): Promise<TransactionalClient> {
  const known = new TransactionalClient(client, 'known');
  await client.call(findCoordinator, 4, { keyType: 1, coordinatorKeys: ['known'] });
  await eventually(async () => expect(await known.init({ timeoutMs: 300_000 })).toBe('NONE'));
  return known;
}
