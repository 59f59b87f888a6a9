import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { commit } from '../../test/support/denials/groups.ts';
import { type DenialWorld, startDenialWorld } from '../../test/support/denials/world.ts';
import type { RawClient } from '../../test/support/raw-client.ts';
import * as api from '../wire/schemas/index.ts';
import { OPERATION, type Operation } from './authorizer.ts';

let world: DenialWorld;
beforeAll(async () => {
  world = await startDenialWorld();
});
afterAll(async () => {
  await world?.stop();
});

describe('authorized operations (KIP-430)', () => {
  const bits = (...operations: Operation[]): number =>
    operations.reduce((sum, operation) => sum | (1 << OPERATION[operation]), 0);

  test('of a topic in Metadata', async () => {
    await world.allow(['Topic', 'logs', 'Write']);
    const request = { topics: [{ name: 'logs' }], includeTopicAuthorizedOperations: true };
    const { topics } = await world.ann.call(api.metadata, 9, request);
    await world.revoke(['Topic', 'logs', 'Write']);
    expect(topics[0]!.topicAuthorizedOperations).toBe(bits('Write', 'Describe'));
  });

  test('of a group in DescribeGroups', async () => {
    await commit(world.admin);
    await world.allow(['Group', 'readers', 'Read']);
    const request = { groups: ['readers'], includeAuthorizedOperations: true };
    const { groups } = await world.ann.call(api.describeGroups, 5, request);
    await world.revoke(['Group', 'readers', 'Read']);
    expect(groups[0]!.authorizedOperations).toBe(bits('Read', 'Describe'));
  });

  test('of the cluster in DescribeCluster and Metadata: none without Describe', async () => {
    const ask = async (client: RawClient) => {
      const request = { includeClusterAuthorizedOperations: true };
      const { clusterAuthorizedOperations: one } = await client.call(api.describeCluster, 0, request);
      const answer = await client.call(api.metadata, 9, { topics: [], ...request });
      expect(answer.clusterAuthorizedOperations).toBe(one);
      return one;
    };
    expect(await ask(world.ann)).toBe(0);
    expect(await ask(world.admin)).toBe(
      bits(
        'Create',
        'ClusterAction',
        'DescribeConfigs',
        'AlterConfigs',
        'IdempotentWrite',
        'Alter',
        'Describe',
      ),
    );
  });

  test('not asked for: the smallest number', async () => {
    expect(
      (await world.ann.call(api.describeCluster, 0, { includeClusterAuthorizedOperations: false }))
        .clusterAuthorizedOperations,
    ).toBe(-(2 ** 31));
  });
});
