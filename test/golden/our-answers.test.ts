import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { HANDLERS } from '../../broker/handlers/index.ts';
import { RawClient } from '../support/raw-client.ts';
import { makeTopic } from '../support/requests.ts';
import { startTestBroker, type TestBroker } from '../support/test-broker.ts';
import { decodeRequest, decodeResponse, type Exchange, readExchanges } from './exchanges.ts';

const exchanges = readExchanges();
/** What is not served is named in exchanges.test.ts. */
const asked = exchanges.filter(({ api, version }) => {
  const served = HANDLERS.find((one) => one.api.name === api)?.served;
  return served && version >= served[0] && version <= served[1];
});

for (const topics of ['no topics', 'their topics'] as const) {
  describe(`our broker with ${topics}, given the bytes of real clients`, () => {
    let broker: TestBroker;
    beforeAll(async () => {
      broker = await startTestBroker({ numPartitions: 3 });
      if (topics === 'no topics') return;
      const client = await RawClient.connect(broker.port);
      for (const name of topicNames()) await makeTopic(client, name, { partitions: 4 });
      client.close();
    });
    afterAll(() => broker?.stop());

    test('answers each request in its version, with the frame read to its end', async () => {
      const outcomes = await Promise.all(asked.map((one) => outcome(broker, one)));
      expect(outcomes.filter((one) => one !== 'answered')).toEqual([]);
      expect(broker.lines.filter(({ level }) => level === 'error')).toEqual([]);
    });
  });
}

async function outcome(broker: TestBroker, one: Exchange): Promise<string> {
  const name = `${one.api} v${one.version} of ${one.client}`;
  const client = await RawClient.connect(broker.port);
  try {
    const request = Buffer.from(one.request, 'base64');
    const length = Buffer.alloc(4);
    length.writeInt32BE(request.length);
    client.write(Buffer.concat([length, request]));
    const decoded = decodeRequest(request);
    const { correlationId, remaining } = decodeResponse(decoded, await client.frame());
    if (correlationId !== decoded.header.correlationId) return `${name}: the answer is to another request`;
    return remaining === 0 ? 'answered' : `${name}: ${remaining} bytes are left`;
  } catch (error) {
    return `${name}: ${String(error)}`;
  } finally {
    client.close();
  }
}

function topicNames(): Set<string> {
  const names = new Set<string>();
  for (const { api, asks } of exchanges) {
    if (api !== 'Metadata') continue;
    for (const { name } of (asks as { topics: Array<{ name: string | null }> | null }).topics ?? []) {
      if (name && /^[\w.-]+$/.test(name)) names.add(name);
    }
  }
  return names;
}
