import { afterAll, beforeAll, expect, test } from 'vitest';

import { RawClient } from '../../test/support/raw-client.ts';
import { recordBatch } from '../../test/support/record-batch.ts';
import { makeTopic, produceTo } from '../../test/support/requests.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { errorName } from '../wire/errors.ts';
import {
  deleteGroups,
  describeConfigs,
  incrementalAlterConfigs,
  offsetCommit,
} from '../wire/schemas/index.ts';

const [SET, APPEND, SUBTRACT] = [0, 2, 3] as const;
const GROUPS = 'retention.hold.groups';

let broker: TestBroker;
let client: RawClient;
beforeAll(async () => {
  broker = await startTestBroker();
  client = await RawClient.connect(broker.port);
});
afterAll(async () => {
  client?.close();
  await broker?.stop();
});

async function alter(name: string, configOperation: number, value: string): Promise<string> {
  const { responses } = await client.call(incrementalAlterConfigs, 1, {
    resources: [{ resourceType: 2, resourceName: 't', configs: [{ name, configOperation, value }] }],
    validateOnly: false,
  });
  return errorName(responses[0]!.errorCode);
}

async function commit(groupId: string, committedOffset: number): Promise<void> {
  const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: null }];
  await client.call(offsetCommit, 7, {
    groupId,
    generationIdOrMemberEpoch: -1,
    memberId: '',
    groupInstanceId: null,
    topics: [{ name: 't', partitions }],
  } as never);
}

/** By group: bytes past their retention that are kept for it. */
function held(): Record<string, boolean> {
  const family = broker.host.metrics
    .snapshot()
    .find(({ name }) => name === 'millrace_broker_retention_held_bytes');
  const series = (family?.series ?? []) as ReadonlyArray<{ labels: Record<string, string>; value: number }>;
  return Object.fromEntries(series.map(({ labels, value }) => [labels['group'], value > 0]));
}

test('the groups that retention waits for are a list that tools change, and a commit lets go', async () => {
  await makeTopic(client, 't', { configs: { 'retention.ms': '1000' } });
  // Its records are of long ago.
  expect(await produceTo(client, 't', recordBatch({ values: ['a', 'b', 'c'] }))).toMatchObject({
    errorCode: 0,
  });
  expect(await alter(GROUPS, SET, 'copy')).toBe('NONE');
  expect(await alter(GROUPS, APPEND, 'report')).toBe('NONE');
  const { results } = await client.call(describeConfigs, 4, {
    resources: [{ resourceType: 2, resourceName: 't', configurationKeys: [GROUPS, 'retention.hold.bytes'] }],
    includeSynonyms: true,
    includeDocumentation: true,
  });
  const told = results[0]!.configs.map(({ name, value, configType }) => ({ name, value, configType }));
  expect(told).toContainEqual({ name: GROUPS, value: 'copy,report', configType: 7 });
  expect(told).toContainEqual({ name: 'retention.hold.bytes', value: '-1', configType: 5 });
  // Written to its segment within a second.
  await expect.poll(held, { timeout: 10_000 }).toEqual({ copy: true, report: true });
  await commit('copy', 3);
  await commit('report', 2);
  expect(held()).toEqual({ report: true });
  expect(await alter(GROUPS, SUBTRACT, 'report')).toBe('NONE');
  expect(held()).toEqual({});
  await client.call(deleteGroups, 2, { groupsNames: ['copy'] } as never);
  expect(held()).toEqual({ copy: true });
});

test('what is no list of groups, and no number of bytes, is refused', async () => {
  expect(await alter(GROUPS, SET, 'x'.repeat(250))).toBe('INVALID_CONFIG');
  expect(await alter(GROUPS, SET, Array.from({ length: 101 }, (_, i) => `g${i}`).join())).toBe(
    'INVALID_CONFIG',
  );
  expect(await alter('retention.hold.bytes', SET, '-2')).toBe('INVALID_CONFIG');
});
