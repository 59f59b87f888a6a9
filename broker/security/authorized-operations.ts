/** KIP-430: what the asking client may do to a resource, a bit an operation, at the place of Kafka's code for it. */
import { OPERATION, type Operation, type ResourceType } from './authorizer.ts';

/** Which operations mean something for a resource; only they are told. */
const SUPPORTED: Readonly<Record<'Topic' | 'Group' | 'Cluster', readonly Operation[]>> = {
  Topic: ['Read', 'Write', 'Create', 'Describe', 'Delete', 'Alter', 'DescribeConfigs', 'AlterConfigs'],
  Group: ['Read', 'Describe', 'Delete', 'DescribeConfigs', 'AlterConfigs'],
  Cluster: [
    'Create',
    'ClusterAction',
    'DescribeConfigs',
    'AlterConfigs',
    'IdempotentWrite',
    'Alter',
    'Describe',
  ],
};

export function authorizedOperations(
  may: (operation: Operation, resourceType: ResourceType, name?: string) => boolean,
  resourceType: keyof typeof SUPPORTED,
  name?: string,
): number {
  let bits = 0;
  for (const operation of SUPPORTED[resourceType]) {
    if (may(operation, resourceType, name)) bits |= 1 << OPERATION[operation];
  }
  return bits;
}
