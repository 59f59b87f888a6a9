/** What groups of other kinds than the classic say of themselves: those of KIP-848, and share groups. */
import {
  consumerGroupDescribe,
  describeShareGroupOffsets,
  findCoordinator,
  shareGroupDescribe,
} from '../wire/schemas/index.ts';
import type { GroupDescription, PartitionOffset } from './port.ts';
import type { Connection } from './connection.ts';
import { throwOnError, type WireClient } from './wire-client.ts';

export async function describeConsumerGroup(client: WireClient, groupId: string): Promise<GroupDescription> {
  const connection = await coordinatorOf(client, groupId);
  const request = { groupIds: [groupId], includeAuthorizedOperations: false };
  const { groups } = await connection.request(consumerGroupDescribe, request);
  return descriptionOf(groupId, 'consumer', groups[0]);
}

export async function describeShareGroup(client: WireClient, groupId: string): Promise<GroupDescription> {
  const connection = await coordinatorOf(client, groupId);
  const request = { groupIds: [groupId], includeAuthorizedOperations: false };
  const { groups } = await connection.request(shareGroupDescribe, request);
  return descriptionOf(groupId, 'share', groups[0]);
}

/** Where a share group begins: what is below is done with. Its backlog, where the broker tells it. */
export async function shareOffsets(
  client: WireClient,
  groupId: string,
): Promise<Array<PartitionOffset & { readonly lag: number | undefined }>> {
  const connection = await coordinatorOf(client, groupId);
  const { groups } = await connection.request(describeShareGroupOffsets, {
    groups: [{ groupId, topics: null }],
  });
  throwOnError(groups[0]?.errorCode ?? 0, `read offsets of ${groupId}`);
  return (groups[0]?.topics ?? []).flatMap(({ topicName, partitions }) =>
    partitions
      .filter(({ errorCode, startOffset }) => errorCode === 0 && startOffset >= 0)
      .map(({ partitionIndex, startOffset, lag }) => ({
        topic: topicName,
        partition: partitionIndex,
        offset: startOffset,
        lag: lag < 0 ? undefined : lag,
      })),
  );
}

async function coordinatorOf(client: WireClient, groupId: string): Promise<Connection> {
  const connection = await client.any();
  const request = { key: groupId, keyType: 0, coordinatorKeys: [groupId] };
  const answer = await connection.request(findCoordinator, request);
  const [found] = answer.coordinators;
  throwOnError(found?.errorCode ?? answer.errorCode, `find the coordinator of ${groupId}`);
  // The addresses of nodes come with the metadata.
  await client.topics([]);
  return await client.node(found?.nodeId ?? answer.nodeId);
}

function descriptionOf(
  groupId: string,
  type: GroupDescription['type'],
  group:
    | {
        readonly errorCode: number;
        readonly groupState: string;
        readonly members: ReadonlyArray<{
          readonly memberId: string;
          readonly clientId: string;
          readonly clientHost: string;
          readonly assignment: {
            readonly topicPartitions: ReadonlyArray<{
              readonly topicName: string;
              readonly partitions: readonly number[];
            }>;
          };
        }>;
      }
    | undefined,
): GroupDescription {
  throwOnError(group?.errorCode ?? 0, `describe group ${groupId}`);
  return {
    groupId,
    type,
    state: group?.groupState ?? 'Unknown',
    protocolType: type,
    members: (group?.members ?? []).map(({ memberId, clientId, clientHost, assignment }) => ({
      memberId,
      clientId,
      host: clientHost,
      assigned: assignment.topicPartitions.flatMap(({ topicName, partitions }) =>
        partitions.map((partition) => ({ topic: topicName, partition })),
      ),
    })),
  };
}
