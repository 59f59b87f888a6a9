/** Topics and consumer groups through Kafka's admin protocol: the same for our broker and for Apache Kafka. */
import type { FastifyInstance } from 'fastify';

import { KafkaError } from '../../broker/client/error.ts';
import type { Admin, GroupDescription, KafkaClient } from '../../broker/client/port.ts';
import { QueryError } from './query-error.ts';

export interface TopicStatus {
  readonly name: string;
  readonly topicId: string;
  readonly internal: boolean;
  readonly partitions: number;
  /** Between first and next offset, all partitions. */
  readonly records: number;
}

export interface GroupStatus {
  readonly groupId: string;
  readonly state: string;
  readonly protocolType: string;
  readonly members: number;
  readonly topics: ReadonlyArray<{
    readonly topic: string;
    /** With a committed offset. */
    readonly partitions: number;
    /** Records not read yet. */
    readonly lag: number;
  }>;
}

export interface PartitionLag {
  readonly topic: string;
  readonly partition: number;
  readonly committed: number;
  readonly end: number;
  readonly lag: number;
}

export function kafkaRoutes(app: FastifyInstance, kafka: KafkaClient): void {
  let made: Promise<Admin> | undefined;
  // One for all requests: each would keep a connection of its own.
  const admin = (): Promise<Admin> => (made ??= kafka.admin());
  app.get('/api/topics', () => reached(async () => topicStatus(await admin())));
  app.get('/api/topics/:topic', (request) => {
    const { topic } = request.params as { topic: string };
    return reached(async () => (await admin()).offsets(topic));
  });
  app.get('/api/groups', () => reached(async () => groupStatus(await admin())));
  app.get('/api/groups/:group', (request) => {
    const { group } = request.params as { group: string };
    return reached(async () => partitionLags(await admin(), group));
  });
}

export async function topicStatus(admin: Admin): Promise<TopicStatus[]> {
  const topics = await admin.topics();
  const found = await Promise.all(
    topics.map(async ({ name, topicId, internal, partitions }) => {
      const offsets = await admin.offsets(name);
      const records = offsets.reduce((sum, { start, end }) => sum + end - start, 0);
      return { name, topicId, internal, partitions, records };
    }),
  );
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

export async function groupStatus(admin: Admin): Promise<GroupStatus[]> {
  const groups = await admin.groups();
  const ends = endsOf(admin);
  const found = await Promise.all(
    groups.map(async (one) => {
      const { groupId, state, protocolType, members } = one;
      const byTopic = Map.groupBy(await lagsOf(admin, one, ends), ({ topic }) => topic);
      const topics = [...byTopic].map(([topic, lags]) => ({
        topic,
        partitions: lags.length,
        lag: lags.reduce((sum, { lag }) => sum + lag, 0),
      }));
      return { groupId, state, protocolType, members: members.length, topics };
    }),
  );
  return found.sort((a, b) => (a.groupId < b.groupId ? -1 : 1));
}

/** Of a group of any type. */
export async function lagsOf(
  admin: Admin,
  { groupId, type }: Pick<GroupDescription, 'groupId' | 'type'>,
  ends: Ends = endsOf(admin),
): Promise<PartitionLag[]> {
  if (type !== 'share') return await partitionLags(admin, groupId, ends);
  const found: PartitionLag[] = [];
  for (const { topic, partition, offset, lag } of await admin.shareOffsets(groupId)) {
    const { start, end } = (await ends(topic)).get(partition) ?? { start: offset, end: offset };
    const behind = Math.max(0, end - Math.max(start, offset));
    found.push({ topic, partition, committed: offset, end, lag: lag ?? behind });
  }
  return found;
}

type Ends = (topic: string) => Promise<ReadonlyMap<number, { start: number; end: number }>>;

/** Asks once a topic, however many groups read it. */
export function endsOf(admin: Admin): Ends {
  const known = new Map<string, ReturnType<Ends>>();
  return (topic) => {
    const before = known.get(topic);
    if (before) return before;
    const asked = admin
      .offsets(topic)
      .then((offsets) => new Map(offsets.map((one) => [one.partition, one])))
      .catch((error: unknown) => {
        // A topic that was deleted since has no end: nothing is unread there. Anything else must not look so.
        if (error instanceof KafkaError && error.code === 'UNKNOWN_TOPIC_OR_PARTITION') return new Map();
        throw error;
      });
    known.set(topic, asked);
    return asked;
  };
}

export async function partitionLags(
  admin: Admin,
  groupId: string,
  ends: Ends = endsOf(admin),
): Promise<PartitionLag[]> {
  const committed = await admin.committed(groupId);
  const lags = await Promise.all(
    committed.map(async ({ topic, partition, offset }) => {
      const { start, end } = (await ends(topic)).get(partition) ?? { start: offset, end: offset };
      // What retention took away can no longer be read.
      return { topic, partition, committed: offset, end, lag: Math.max(0, end - Math.max(start, offset)) };
    }),
  );
  return lags.sort((a, b) => (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1));
}

async function reached<T>(answer: () => Promise<T>): Promise<T> {
  try {
    return await answer();
  } catch (error) {
    throw new QueryError(503, `cannot reach Kafka: ${(error as Error).message}`, { cause: error });
  }
}
