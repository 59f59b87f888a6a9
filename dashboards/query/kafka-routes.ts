/** Topics and consumer groups through Kafka's admin protocol: the same for our broker and for Apache Kafka. */
import type { FastifyInstance } from 'fastify';

import type { Admin, KafkaClient } from '../../broker/client/port.ts';
import { QueryError } from './query-error.ts';

export interface TopicStatus {
  readonly name: string;
  readonly topicId: string;
  readonly internal: boolean;
  /** Records between first and next offset, all partitions. */
  readonly records: number;
  readonly partitions: ReadonlyArray<{ partition: number; start: number; end: number }>;
}

export interface GroupStatus {
  readonly groupId: string;
  readonly state: string;
  readonly protocolType: string;
  readonly members: ReadonlyArray<{ memberId: string; clientId: string; host: string }>;
  /** Records not yet read, all partitions. */
  readonly lag: number;
  readonly partitions: ReadonlyArray<{
    topic: string;
    partition: number;
    committed: number;
    end: number;
    lag: number;
  }>;
}

export function kafkaRoutes(app: FastifyInstance, kafka: KafkaClient): void {
  let made: Promise<Admin> | undefined;
  // One for all requests: each would keep a connection of its own.
  const admin = (): Promise<Admin> => (made ??= kafka.admin());
  app.get('/api/topics', () => reached(async () => topicStatus(await admin())));
  app.get('/api/groups', () => reached(async () => groupStatus(await admin())));
}

export async function topicStatus(admin: Admin): Promise<TopicStatus[]> {
  const topics = await admin.topics();
  const found = await Promise.all(
    topics.map(async ({ name, topicId, internal }) => {
      const partitions = await admin.offsets(name);
      const records = partitions.reduce((sum, { start, end }) => sum + end - start, 0);
      return { name, topicId, internal, records, partitions };
    }),
  );
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

export async function groupStatus(admin: Admin): Promise<GroupStatus[]> {
  const groups = await admin.groups();
  const ends = new Map<string, Promise<Map<number, number>>>();
  const endsOf = (topic: string): Promise<Map<number, number>> => {
    let known = ends.get(topic);
    if (!known) {
      known = admin
        .offsets(topic)
        .then((offsets) => new Map(offsets.map(({ partition, end }) => [partition, end])));
      ends.set(topic, known);
    }
    return known;
  };
  const found = await Promise.all(
    groups.map(async ({ groupId, state, protocolType, members }) => {
      const committed = await admin.committed(groupId);
      const partitions = await Promise.all(
        committed.map(async ({ topic, partition, offset }) => {
          const end = (await endsOf(topic)).get(partition) ?? offset;
          return { topic, partition, committed: offset, end, lag: Math.max(0, end - offset) };
        }),
      );
      return {
        groupId,
        state,
        protocolType,
        members: members.map(({ memberId, clientId, host }) => ({ memberId, clientId, host })),
        lag: partitions.reduce((sum, { lag }) => sum + lag, 0),
        partitions: partitions.sort((a, b) =>
          a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
        ),
      };
    }),
  );
  return found.sort((a, b) => (a.groupId < b.groupId ? -1 : 1));
}

async function reached<T>(answer: () => Promise<T>): Promise<T> {
  try {
    return await answer();
  } catch (error) {
    throw new QueryError(503, `cannot reach Kafka: ${(error as Error).message}`, { cause: error });
  }
}
