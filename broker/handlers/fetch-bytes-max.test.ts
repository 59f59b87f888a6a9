import { expect, test } from 'vitest';

import { RawClient } from '../../test/support/raw-client.ts';
import { readBatches, recordBatch } from '../../test/support/record-batch.ts';
import { fetchFrom, makeTopic, produceTo } from '../../test/support/requests.ts';
import { startTestBroker } from '../../test/support/test-broker.ts';

test("the broker's own bound on an answer holds for whoever asks for more", async () => {
  const values = ['x'.repeat(500)];
  const size = recordBatch({ values }).length;
  const broker = await startTestBroker({ fetchBytesMax: Math.max(1_024, Math.floor(2.5 * size)) });
  const client = await RawClient.connect(broker.port);
  await makeTopic(client, 't');
  for (let i = 0; i < 6; i += 1) await produceTo(client, 't', recordBatch({ values }));
  const { records } = await fetchFrom(client, 't', 0, { maxBytes: 2 ** 31 - 1 });
  expect(readBatches(records!).map(({ baseOffset }) => baseOffset)).toEqual([0, 1]);
  client.close();
  await broker.stop();
});

const MAX = 2 ** 31 - 1;

test('an answer ends at 16 MiB, or where as many bytes are there as the reader waits for', async () => {
  const values = ['x'.repeat(1_000_000)];
  const size = recordBatch({ values }).length;
  const broker = await startTestBroker();
  const client = await RawClient.connect(broker.port);
  await makeTopic(client, 't');
  for (let i = 0; i < 20; i += 1) await produceTo(client, 't', recordBatch({ values }));
  const counts: number[] = [];
  for (const minBytes of [1, 18 * size]) {
    const { records } = await fetchFrom(client, 't', 0, { maxBytes: MAX, partitionMaxBytes: MAX, minBytes });
    counts.push(readBatches(records!).length);
  }
  expect(counts).toEqual([16, 18]);
  client.close();
  await broker.stop();
});
