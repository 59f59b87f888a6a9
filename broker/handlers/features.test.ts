import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { RawClient } from '../../test/support/raw-client.ts';
import { startTestBroker, type TestBroker } from '../../test/support/test-broker.ts';
import { CODE } from '../wire/errors.ts';
import { apiVersions, metadata, updateFeatures } from '../wire/schemas/index.ts';

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

const ask = (version: number, software = { clientSoftwareName: 'test', clientSoftwareVersion: '1.0' }) =>
  client.call(apiVersions, version, software);
const metadataVersion = (level: number, upgradeType: number) => ({
  featureUpdates: [{ feature: 'metadata.version', maxVersionLevel: level, upgradeType }],
});

test('ApiVersions v3, v4 and v5 answer supported and finalized features with their epoch', async () => {
  for (const version of [3, 4, 5]) {
    const answer = await ask(version);
    expect(answer.supportedFeatures).toContainEqual({
      name: 'metadata.version',
      minVersion: 7,
      maxVersion: 33,
    });
    expect(answer.finalizedFeatures).toContainEqual({
      name: 'metadata.version',
      minVersionLevel: 33,
      maxVersionLevel: 33,
    });
    expect(answer.finalizedFeaturesEpoch).toBeGreaterThanOrEqual(0);
  }
});

test('ApiVersions v3 leaves out features whose minimum is 0, which its readers take for malformed', async () => {
  expect((await ask(3)).supportedFeatures.filter(({ minVersion }) => minVersion === 0)).toEqual([]);
  expect((await ask(4)).supportedFeatures.every(({ maxVersion }) => maxVersion > 0)).toBe(true);
});

const names: Array<[name: string, version: string, fine: boolean]> = [
  ['librdkafka', '2.15.0-RC1', true],
  ['x', '1', true],
  ['apache-kafka-java', '4.4.0', true],
  ['', '1.0', false],
  ['-x', '1.0', false],
  ['x-', '1.0', false],
  ['x', '', false],
  ['x', '1.0.', false],
  ['a b', '1.0', false],
];
for (const [clientSoftwareName, clientSoftwareVersion, fine] of names) {
  const title = `${JSON.stringify(clientSoftwareName)} ${JSON.stringify(clientSoftwareVersion)}`;
  test(`ApiVersions v3: software ${title} is ${fine ? 'taken' : 'INVALID_REQUEST'}`, async () => {
    const { errorCode } = await ask(3, { clientSoftwareName, clientSoftwareVersion });
    expect(errorCode).toBe(fine ? CODE.NONE : CODE.INVALID_REQUEST);
  });
}

describe('ApiVersions v5 with the node that the client wants to talk to (KIP-1242)', () => {
  const NODE = 1;
  const cases: Array<[what: string, clusterId: string | null, nodeId: number, code: keyof typeof CODE]> = [
    ['neither cluster nor node', null, -1, 'NONE'],
    ['this node', 'own', NODE, 'NONE'],
    ['another node of the cluster', 'own', NODE + 1, 'REBOOTSTRAP_REQUIRED'],
    ['another cluster', 'other', NODE, 'REBOOTSTRAP_REQUIRED'],
    ['an empty cluster', '', NODE, 'REBOOTSTRAP_REQUIRED'],
    ['a node without a cluster', null, NODE, 'INVALID_REQUEST'],
    ['a cluster without a node', 'own', -1, 'INVALID_REQUEST'],
    ['another cluster without a node', 'other', -1, 'INVALID_REQUEST'],
  ];
  for (const [what, cluster, nodeId, code] of cases) {
    test(`${what}: ${code}, and the connection stays open`, async () => {
      const own = (await client.call(metadata, 5, { topics: [] })).clusterId;
      const software = { clientSoftwareName: 'test', clientSoftwareVersion: '1.0' };
      const clusterId = cluster === 'own' ? own : cluster;
      const { errorCode, apiKeys } = await client.call(apiVersions, 5, { ...software, clusterId, nodeId });
      expect(errorCode).toBe(CODE[code]);
      expect(apiKeys.length > 0).toBe(code === 'NONE');
      expect((await ask(3)).errorCode).toBe(CODE.NONE);
    });
  }
});

test('UpdateFeatures moves a level, which ApiVersions then says, also after a restart', async () => {
  const before = (await ask(4)).finalizedFeaturesEpoch;
  const done = await client.call(updateFeatures, 1, metadataVersion(30, 2));
  expect(done).toMatchObject({ errorCode: 0, results: [{ feature: 'metadata.version', errorCode: 0 }] });
  await broker.restart();
  client = await RawClient.connect(broker.port);
  const after = await ask(4);
  expect(after.finalizedFeatures[0]).toMatchObject({ name: 'metadata.version', maxVersionLevel: 30 });
  expect(after.finalizedFeaturesEpoch).toBeGreaterThan(before);
  const v2 = await client.call(updateFeatures, 2, metadataVersion(33, 1));
  expect(v2).toMatchObject({ errorCode: 0, results: [] });
  const v0 = { feature: 'metadata.version', maxVersionLevel: 31, allowDowngrade: true };
  expect((await client.call(updateFeatures, 0, { featureUpdates: [v0] })).errorCode).toBe(0);
});

test('UpdateFeatures refuses a level out of range with INVALID_UPDATE_VERSION for the whole request', async () => {
  for (let version = 0; version <= 2; version += 1) {
    const answer = await client.call(updateFeatures, version, metadataVersion(99, 1));
    expect(answer.errorCode).toBe(CODE.INVALID_UPDATE_VERSION);
    expect(answer.errorMessage).toMatch(/got level 99, want 7 to 33/);
    expect(answer.results).toEqual([]);
  }
});

test('UpdateFeatures refuses one feature named twice', async () => {
  const one = { feature: 'metadata.version', maxVersionLevel: 30, upgradeType: 2 };
  const answer = await client.call(updateFeatures, 1, { featureUpdates: [one, one] });
  expect(answer.errorCode).toBe(CODE.INVALID_REQUEST);
});
