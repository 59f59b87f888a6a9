import kafkajs, { type Admin as KafkajsAdmin, AssignerProtocol, type Kafka } from 'kafkajs';

import { KafkaError } from './error.ts';
import { describeConsumerGroup, describeShareGroup, shareOffsets } from './group-descriptions.ts';
import { kafkaErrorOf } from './kafkajs-errors.ts';
import { EARLIEST, LATEST, offsetsAt } from './offsets.ts';
import { timestampFrom } from './oldest-record.ts';
import type { Admin, GroupDescription } from './port.ts';
import type { WireClient } from './wire-client.ts';

export interface ClosableAdmin extends Admin {
  close(): Promise<void>;
}

/** Topics and offsets through our own client (kafkajs knows no topic ids), the rest through kafkajs. */
export function kafkajsAdmin(kafka: Kafka, wire: WireClient): ClosableAdmin {
  let connected: Promise<KafkajsAdmin> | undefined;

  const connect = async (): Promise<KafkajsAdmin> => {
    const admin = kafka.admin({ retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 4 } });
    await admin.connect();
    return admin;
  };

  /** Runs a call; after a failure the next one connects anew, since kafkajs may hold on to a dead broker. */
  const call = async <T>(doing: string, fn: (admin: KafkajsAdmin) => Promise<T>): Promise<T> => {
    const admin = (connected ??= connect());
    try {
      return await fn(await admin);
    } catch (error) {
      if (connected === admin) connected = undefined;
      admin.then((made) => made.disconnect()).catch(() => undefined);
      throw kafkaErrorOf(error, doing);
    }
  };

  return {
    async ensureTopics(topics) {
      const { topics: existing } = await wire.topics();
      const names = new Set(existing.map(({ name }) => name));
      const missing = topics.filter(({ name }) => !names.has(name));
      if (missing.length === 0) return;
      await call(`create topics ${missing.map(({ name }) => name).join(', ')}`, async (admin) => {
        // One by one: another part may create the same topic at the same time, and that one must not fail the rest.
        for (const { name, partitions, configs } of missing) {
          const configEntries = Object.entries(configs ?? {}).map(([key, value]) => ({ name: key, value }));
          await admin
            .createTopics({
              waitForLeaders: true,
              topics: [{ topic: name, numPartitions: partitions, replicationFactor: -1, configEntries }],
            })
            .catch((error: unknown) => {
              if (kafkaErrorOf(error, '').code !== 'TOPIC_ALREADY_EXISTS') throw error;
            });
        }
      });
    },
    async deleteTopics(names) {
      await call(`delete topics ${names.join(', ')}`, (admin) => admin.deleteTopics({ topics: [...names] }));
    },
    async topics() {
      const { topics } = await wire.topics();
      return topics.map(({ name, topicId, internal, leaders }) => ({
        name,
        topicId,
        internal,
        partitions: leaders.size,
      }));
    },
    async origin(topic) {
      const { clusterId, topics } = await wire.topics([topic]);
      const [found] = topics;
      if (!found) {
        throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `cannot find topic ${topic}`, true);
      }
      return { clusterId, topicId: found.topicId };
    },
    async offsets(topic) {
      const found = await wire.topic(topic);
      const partitions = [...found.leaders.keys()].sort((left, right) => left - right);
      const starts = await offsetsAt(wire, found, partitions, EARLIEST);
      const ends = await offsetsAt(wire, found, partitions, LATEST);
      return partitions.map((partition) => ({
        partition,
        start: starts.get(partition) ?? 0,
        end: ends.get(partition) ?? 0,
      }));
    },
    groups: () =>
      call('describe groups', async (admin) => {
        const { groups } = await admin.listGroups();
        if (groups.length === 0) return [];
        const listed = new Map(groups.map(({ groupId, protocolType }) => [groupId, protocolType]));
        const classic = [...listed.keys()].filter((groupId) => listed.get(groupId) !== 'share');
        const described = classic.length === 0 ? [] : (await admin.describeGroups(classic)).groups;
        return await Promise.all([
          // A group of KIP-848 is dead to who asks in the old way.
          ...described.map((group) =>
            group.state === 'Dead' && listed.get(group.groupId) === 'consumer'
              ? describeConsumerGroup(wire, group.groupId)
              : groupOf(group),
          ),
          ...[...listed]
            .filter(([, protocolType]) => protocolType === 'share')
            .map(([groupId]) => describeShareGroup(wire, groupId)),
        ]);
      }),
    committed: (groupId) =>
      call(`read offsets of ${groupId}`, async (admin) => {
        const topics = await admin.fetchOffsets({ groupId });
        return topics.flatMap(({ topic, partitions }) =>
          partitions
            .map(({ partition, offset }) => ({ topic, partition, offset: Number(offset) }))
            .filter(({ offset }) => offset >= 0),
        );
      }),
    shareOffsets: (groupId) => shareOffsets(wire, groupId),
    timestampFrom: (place) => timestampFrom(wire, place),
    topicConfigs: (topic) =>
      call(`describe ${topic}`, async (admin) => {
        const { resources } = await admin.describeConfigs({
          includeSynonyms: false,
          resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
        });
        const entries = resources[0]?.configEntries ?? [];
        return Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue]));
      }),
    async close() {
      const admin = connected;
      connected = undefined;
      await admin?.then((made) => made.disconnect()).catch(() => undefined);
    },
  };
}

function groupOf(
  group: Awaited<ReturnType<KafkajsAdmin['describeGroups']>>['groups'][number],
): GroupDescription {
  return {
    groupId: group.groupId,
    type: 'classic',
    state: group.state,
    protocolType: group.protocolType,
    members: group.members.map(({ memberId, clientId, clientHost, memberAssignment }) => ({
      memberId,
      clientId,
      host: clientHost,
      assigned: assignedOf(memberAssignment),
    })),
  };
}

function assignedOf(assignment: Buffer): Array<{ topic: string; partition: number }> {
  if (assignment.length === 0) return [];
  const decoded = AssignerProtocol.MemberAssignment.decode(assignment);
  if (!decoded) return [];
  return Object.entries(decoded.assignment).flatMap(([topic, partitions]) =>
    partitions.map((partition) => ({ topic, partition })),
  );
}
