/** The same with a client that people use: kafkajs as it comes, with its defaults where they allow. */
import { randomBytes } from 'node:crypto';

import { Kafka, logLevel, Partitioners } from 'kafkajs';

export interface ClientLoad {
  readonly records: number;
  readonly bytes: number;
  readonly seconds: number;
}

export interface KafkajsPlan {
  readonly broker: string;
  readonly topic: string;
  readonly partitions: number;
  readonly recordBytes: number;
  readonly recordsPerBatch: number;
}

/** Sends in flight: what one process can prepare while others wait for the disk. */
const IN_FLIGHT = 4;

export async function kafkajsProduce(plan: KafkajsPlan, seconds: number): Promise<ClientLoad> {
  const { topic, partitions, recordBytes, recordsPerBatch } = plan;
  const producer = client(plan).producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
  });
  await producer.connect();
  try {
    const messages = Array.from({ length: partitions * recordsPerBatch }, (_, index) => ({
      value: randomBytes(recordBytes),
      partition: index % partitions,
    }));
    let records = 0;
    const start = performance.now();
    const sender = async (): Promise<void> => {
      while (performance.now() - start < seconds * 1_000) {
        await producer.send({ topic, acks: -1, messages });
        records += messages.length;
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, sender));
    return { records, bytes: records * recordBytes, seconds: (performance.now() - start) / 1_000 };
  } finally {
    await producer.disconnect();
  }
}

/** Reads `records` from the topic's start, as a group of one; timed from the moment the group is joined. */
export async function kafkajsConsume(plan: KafkajsPlan, records: number): Promise<ClientLoad> {
  const consumer = client(plan).consumer({ groupId: `bench-${plan.topic}` });
  let start = Number.NaN;
  let seen = 0;
  const done = Promise.withResolvers<void>();
  consumer.on(consumer.events.GROUP_JOIN, () => (start = performance.now()));
  consumer.on(consumer.events.CRASH, ({ payload }) => done.reject(payload.error));
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [plan.topic], fromBeginning: true });
    await consumer.run({
      partitionsConsumedConcurrently: plan.partitions,
      eachBatch: ({ batch }) => {
        seen += batch.messages.length;
        if (seen >= records) done.resolve();
        return Promise.resolve();
      },
    });
    await done.promise;
    return {
      records: seen,
      bytes: seen * plan.recordBytes,
      seconds: (performance.now() - start) / 1_000,
    };
  } finally {
    await consumer.disconnect();
  }
}

function client({ broker }: KafkajsPlan): Kafka {
  return new Kafka({ brokers: [broker], clientId: 'bench', logLevel: logLevel.NOTHING });
}
