import type { BrokerConfig } from '../config.ts';
import type { GroupCoordinator } from '../groups/coordinator.ts';
import { LogError } from '../log/errors.ts';
import type { BrokerLog, PartitionLog, Topic } from '../log/log.ts';
import { CODE, type ErrorName } from '../wire/errors.ts';
import { INTERNAL_TOPICS, OFFSETS_TOPIC } from '../state/internal-topic.ts';
import { ZERO_UUID } from '../wire/schema.ts';

/** Partitions that one topic may have; each has files and memory of its own. */
export const PARTITIONS_MAX = 10_000;

const NAME = /^[a-zA-Z0-9._-]{1,249}$/;

/** Why this cannot be a topic's name, undefined when it can. */
export function topicNameProblem(name: string): string | undefined {
  if (NAME.test(name) && name !== '.' && name !== '..') return undefined;
  return `cannot use topic name ${JSON.stringify(name.slice(0, 300))}: want 1 to 249 of a-z A-Z 0-9 . _ -, not . or ..`;
}

/** Looking up, creating and deleting topics, with the checks that every way in shares. */
export class TopicRegistry {
  private readonly config: BrokerConfig;
  private readonly log: BrokerLog;
  private readonly groups: GroupCoordinator;
  private readonly creating = new Map<string, Promise<Topic>>();

  constructor(config: BrokerConfig, log: BrokerLog, groups: GroupCoordinator) {
    this.config = config;
    this.log = log;
    this.groups = groups;
  }

  /** By name, or by id where the request carries ids (`byId`): the partition, or the error code for it. */
  partition(topic: Topic | undefined, index: number, byId: boolean): PartitionLog | number {
    if (!topic) return byId ? CODE.UNKNOWN_TOPIC_ID : CODE.UNKNOWN_TOPIC_OR_PARTITION;
    return topic.partitions[index] ?? CODE.UNKNOWN_TOPIC_OR_PARTITION;
  }

  find(name: string, id: string, byId: boolean): Topic | undefined {
    if (!byId) return this.log.topic(name);
    return id === ZERO_UUID ? undefined : this.log.topicById(id);
  }

  /** The topic, made when it is missing and may be; else the error code. */
  async findOrCreate(name: string, mayCreate: boolean): Promise<Topic | number> {
    const found = this.log.topic(name);
    if (found) return found;
    if (topicNameProblem(name) !== undefined) return CODE.INVALID_TOPIC_EXCEPTION;
    if (!mayCreate || !this.config.autoCreateTopics) return CODE.UNKNOWN_TOPIC_OR_PARTITION;
    try {
      // Clients must not make this one, with whatever settings topics get by default.
      if (name === OFFSETS_TOPIC) return await this.groups.topic.ensure();
      if (INTERNAL_TOPICS.has(name)) return CODE.UNKNOWN_TOPIC_OR_PARTITION;
      if (this.collision(name) !== undefined) return CODE.INVALID_TOPIC_EXCEPTION;
      return await this.create(name, this.config.numPartitions, {});
    } catch (error) {
      return codeOf(error);
    }
  }

  /** Two requests for one name share the creation. @throws LogError */
  async create(name: string, partitions: number, configs: Readonly<Record<string, string>>): Promise<Topic> {
    const found = this.log.topic(name) ?? this.creating.get(name);
    if (found) return found;
    const creation = this.log
      .createTopic({ name, partitions, configs })
      .finally(() => this.creating.delete(name));
    this.creating.set(name, creation);
    return creation;
  }

  /** @throws LogError */
  async delete(topic: Topic): Promise<void> {
    await this.log.deleteTopic(topic.name);
    await this.groups.onTopicDeleted(topic.name);
  }

  /** `a.b` and `a_b` would share the names of Kafka's metrics, so there is never both. */
  collision(name: string): string | undefined {
    const flat = name.replaceAll('.', '_');
    if (flat === name && !name.includes('_')) return undefined;
    return this.log.topics().find((one) => one.name !== name && one.name.replaceAll('.', '_') === flat)?.name;
  }
}

/** The code of a refusal by the log; anything else is a bug and goes on. */
export function codeOf(error: unknown): number {
  if (error instanceof LogError) return CODE[error.code satisfies ErrorName];
  throw error;
}
