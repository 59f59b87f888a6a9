import { KafkaError } from '../../broker/client/error.ts';
import type { KafkaClient, ProduceRecord } from '../../broker/client/port.ts';

export interface ProducingKafka extends KafkaClient {
  /** What became durable, in order. */
  readonly produced: Array<{ topic: string; record: ProduceRecord }>;
  readonly sends: Array<readonly ProduceRecord[]>;
  /** Every send and admin call fails with it while it is set. */
  failure: KafkaError | undefined;
  /** Sends wait until it resolves. */
  gate: Promise<void>;
}

/** The producing half of the Kafka client port, in memory, as broken as a test wants it. */
export function producingKafka(): ProducingKafka {
  const unsupported = (): Promise<never> => Promise.reject(new Error('the fake client only produces'));
  const fake: ProducingKafka = {
    produced: [],
    sends: [],
    failure: undefined,
    gate: Promise.resolve(),
    producer: () =>
      Promise.resolve({
        async send(topic, records) {
          fake.sends.push(records);
          await fake.gate;
          if (fake.failure) throw fake.failure;
          for (const record of records) fake.produced.push({ topic, record });
          return [{ partition: 0, baseOffset: 0 }];
        },
        close: () => Promise.resolve(),
      }),
    admin: () =>
      Promise.resolve({
        ensureTopics: () => (fake.failure ? Promise.reject(fake.failure) : Promise.resolve()),
        deleteTopics: unsupported,
        topics: unsupported,
        origin: unsupported,
        offsets: unsupported,
        groups: unsupported,
        committed: unsupported,
        shareOffsets: unsupported,
        timestampFrom: unsupported,
        topicConfigs: unsupported,
      }),
    consumer: unsupported,
    reader: unsupported,
    close: () => Promise.resolve(),
  };
  return fake;
}

export const AWAY = new KafkaError('CONNECTION', 'cannot produce: connection refused', true);
