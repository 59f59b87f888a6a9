import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type DenialWorld, EVERYTHING, ruleOf, startDenialWorld } from '../../test/support/denials/world.ts';
import { RawClient } from '../../test/support/raw-client.ts';
import { startTestBroker } from '../../test/support/test-broker.ts';
import { CODE } from '../wire/errors.ts';
import * as api from '../wire/schemas/index.ts';
import { PATTERN, PERMISSION } from './acl.ts';
import { OPERATION, RESOURCE_TYPE } from './authorizer.ts';

let world: DenialWorld;
beforeAll(async () => {
  world = await startDenialWorld();
});
afterAll(async () => {
  await world?.stop();
});

describe('access rules over the wire', () => {
  const rule = () => ({ ...ruleOf(['Topic', 'ruled', 'Read']), patternType: undefined });

  test('are there after a restart of the broker, once each, and found by filters', async () => {
    for (let i = 0; i < 2; i += 1) await world.allow(['Topic', 'ruled', 'Read']);
    await world.restart();
    const found = await world.admin.call(api.describeAcls, 1, { ...EVERYTHING, resourceNameFilter: 'ruled' });
    expect(found.resources).toMatchObject([
      {
        resourceType: RESOURCE_TYPE.Topic,
        resourceName: 'ruled',
        patternType: PATTERN.literal,
        acls: [
          { principal: 'User:ann', host: '*', operation: OPERATION.Read, permissionType: PERMISSION.allow },
        ],
      },
    ]);
    const { filterResults } = await world.admin.call(api.deleteAcls, 2, {
      filters: [{ ...EVERYTHING, resourceNameFilter: 'ruled' }],
    });
    expect(filterResults[0]!.matchingAcls).toHaveLength(1);
    expect((await world.admin.call(api.describeAcls, 3, EVERYTHING)).resources).toEqual([]);
  });

  const bad: Array<[name: string, change: object]> = [
    ['an empty name', { resourceName: '' }],
    ['a cluster of another name', { resourceType: RESOURCE_TYPE.Cluster }],
    ['the pattern type match', { resourcePatternType: PATTERN.match }],
    ['any operation', { operation: OPERATION.Any }],
    ['an unknown operation', { operation: 99 }],
    ['any resource type', { resourceType: 1 }],
    ['any permission', { permissionType: PERMISSION.any }],
    ['a principal without a type', { principal: 'ann' }],
  ];
  for (const [name, change] of bad) {
    test(`${name} is INVALID_REQUEST, and its neighbour is made`, async () => {
      const { results } = await world.admin.call(api.createAcls, 2, {
        creations: [{ ...rule(), ...change }, rule()],
      });
      expect(results.map(({ errorCode }) => errorCode)).toEqual([CODE.INVALID_REQUEST, CODE.NONE]);
      await world.revoke(['Topic', 'ruled', 'Read']);
    });
  }

  test('an unknown filter is INVALID_REQUEST', async () => {
    const { errorCode } = await world.admin.call(api.describeAcls, 2, { ...EVERYTHING, operation: 99 });
    expect(errorCode).toBe(CODE.INVALID_REQUEST);
  });

  test('without an authorizer all three answer SECURITY_DISABLED', async () => {
    const open = await startTestBroker();
    const client = await RawClient.connect(open.port);
    const { errorCode } = await client.call(api.describeAcls, 1, EVERYTHING);
    const created = await client.call(api.createAcls, 1, { creations: [rule()] });
    const deleted = await client.call(api.deleteAcls, 1, { filters: [EVERYTHING] });
    expect([errorCode, created.results[0]!.errorCode, deleted.filterResults[0]!.errorCode]).toEqual(
      Array.from({ length: 3 }, () => CODE.SECURITY_DISABLED),
    );
    client.close();
    await open.stop();
  });
});
