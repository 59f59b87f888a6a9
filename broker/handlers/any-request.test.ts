import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { arbitraryMessage } from '../../test/support/arbitrary-message.ts';
import { RawClient } from '../../test/support/raw-client.ts';
import { makeTopic, topicId } from '../../test/support/requests.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import {
  createTopics,
  describeConfigs,
  joinGroup,
  metadata,
  produce,
  syncGroup,
} from '../wire/schemas/index.ts';
import { Writer } from '../wire/writer.ts';
import { HANDLERS } from './index.ts';

const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_122);

let broker: TestBroker;
let known: { name: string; id: string };
beforeAll(async () => {
  broker = await startTestBroker();
  const client = await RawClient.connect(broker.port);
  await makeTopic(client, 'known');
  known = { name: 'known', id: await topicId(client, 'known') };
  client.close();
});
afterAll(() => broker?.stop());

/** Well-formed requests with senseless content: each is answered or its connection closed, and nothing breaks. */
for (const { api, served } of HANDLERS) {
  test(`${api.name}: any well-formed request in any version`, async () => {
    let client = await RawClient.connect(broker.port);
    for (let version = served[0]; version <= served[1]; version += 1) {
      const samples = fc.sample(arbitraryMessage(api.fields.request, version), {
        numRuns: 15,
        seed: seed + version,
      });
      for (const [index, sample] of samples.entries()) {
        const request = tamed(sample, index % 2 === 0);
        if (api.key === produce.key) request['acks'] = -1;
        const answer = client.call(api, version, request).catch(() => undefined);
        // A refusal by closing is an answer too.
        if ((await answer) === undefined) client = await RawClient.connect(broker.port);
      }
    }
    client.close();
    expect(broker.lines.filter(({ level }) => level === 'error')).toEqual([]);
    const honest = await RawClient.connect(broker.port);
    expect((await honest.call(metadata, 5, { topics: [] })).brokers).toHaveLength(1);
    honest.close();
  });
}

test('the longest names go through every place that repeats or stores them', async () => {
  const long = 'x'.repeat(32_767);
  const client = await RawClient.connect(broker.port);
  const configs = await client.call(describeConfigs, 1, {
    resources: [{ resourceType: 4, resourceName: long, configurationKeys: null }],
  });
  expect(configs.results[0]!.errorMessage).toMatch(/^cannot describe broker x/);
  const created = await client.call(createTopics, 2, {
    topics: [
      {
        name: 'long',
        numPartitions: 1,
        replicationFactor: 1,
        assignments: [],
        configs: [{ name: long, value: long }],
      },
    ],
  });
  expect(created.topics[0]!.errorMessage).toMatch(/^cannot set x/);
  const { memberId, generationId, errorCode } = await client.call(
    joinGroup,
    5,
    {
      groupId: long,
      sessionTimeoutMs: 10_000,
      memberId: '',
      groupInstanceId: long,
      protocolType: long,
      protocols: [{ name: long, metadata: Buffer.alloc(0) }],
    },
    long,
  );
  expect(errorCode).toBe(0);
  const member = { groupId: long, generationId, memberId, groupInstanceId: long };
  expect((await client.call(syncGroup, 3, { ...member, assignments: [] })).errorCode).toBe(0);
  client.close();
});

test('a string longer than Kafka allows, as sent or as it would be sent back, closes the connection', async () => {
  for (const text of [Buffer.alloc(32_768, 'x'), Buffer.alloc(20_000, 0xff)]) {
    const client = await RawClient.connect(broker.port);
    const writer = new Writer();
    writer.uvarint(text.length + 1);
    writer.bytes(text);
    const header = Buffer.from('000c 0004 00000001 ffff 00'.replaceAll(' ', ''), 'hex');
    const body = Buffer.concat([header, writer.toBuffer(), Buffer.alloc(10)]);
    const length = Buffer.alloc(4);
    length.writeInt32BE(body.length);
    client.write(Buffer.concat([length, body]));
    await client.closed;
    expect(broker.lines.at(-1)?.message).toMatch(/cannot read a string/);
  }
});

/** The sample without long waits and huge counts, every second time about a topic that exists. */
function tamed(value: unknown, aboutKnown: boolean): Record<string, unknown> {
  const walk = (name: string, one: unknown): unknown => {
    if (Array.isArray(one)) return one.map((item) => walk(name, item));
    if (Buffer.isBuffer(one)) return one;
    if (typeof one === 'object' && one !== null) {
      return Object.fromEntries(Object.entries(one).map(([key, inner]) => [key, walk(key, inner)]));
    }
    if (name === 'maxWaitMs') return 0;
    if (name === 'numPartitions') return Math.min(one as number, 3);
    if (aboutKnown && (name === 'name' || name === 'topic') && typeof one === 'string') return known.name;
    if (aboutKnown && name === 'topicId') return known.id;
    if (aboutKnown && /^(partition|partitionIndex|index)$/.test(name)) return 0;
    return one;
  };
  return walk('', value) as Record<string, unknown>;
}
