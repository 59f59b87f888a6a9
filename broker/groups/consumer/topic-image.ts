/** The topics as groups see them. */
import type { BrokerLog } from '../../log/log.ts';

export interface TopicFacts {
  readonly id: string;
  readonly name: string;
  readonly partitions: number;
}

export interface TopicImage {
  /** Another number once a topic has come, gone or grown. */
  readonly version: number;
  byName(name: string): TopicFacts | undefined;
  byId(id: string): TopicFacts | undefined;
  names(): readonly string[];
}

export function imageOf(log: BrokerLog): TopicImage {
  const factsOf = (topic: ReturnType<BrokerLog['topic']>): TopicFacts | undefined =>
    topic && { id: topic.id, name: topic.name, partitions: topic.partitions.length };
  return {
    get version() {
      return log.topicsVersion;
    },
    byName: (name) => factsOf(log.topic(name)),
    byId: (id) => factsOf(log.topicById(id)),
    names: () => log.topics().map(({ name }) => name),
  };
}
