/** kafkajs with its defaults where they allow; it runs in the process of the bench. */
import { Kafka, logLevel, Partitioners } from 'kafkajs';

import { ownCpuSeconds } from '../process-usage.ts';
import type { Client, Order } from './cell.ts';
import { recordText } from './record-text.ts';
import type { Side } from './side.ts';

/** Sends in flight: what one process can prepare while others wait for the disk. */
const IN_FLIGHT = 4;
const RECORDS_PER_SEND_AND_PARTITION = 100;

export const kafkajsClient: Client = {
  async produce(side, { topic, partitions, recordBytes, records, acks }) {
    const producer = kafka(side).producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      allowAutoTopicCreation: false,
    });
    await producer.connect();
    try {
      const messages = Array.from({ length: partitions * RECORDS_PER_SEND_AND_PARTITION }, (_, index) => ({
        value: Buffer.from(recordText(recordBytes)),
        partition: index % partitions,
      }));
      let left = records;
      const start = performance.now();
      const sender = async (): Promise<void> => {
        while (left > 0) {
          const some = left >= messages.length ? messages : messages.slice(0, left);
          left -= some.length;
          await producer.send({ topic, acks: acks === 'all' ? -1 : 1, messages: some });
        }
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, sender));
      return { records, seconds: (performance.now() - start) / 1_000 };
    } finally {
      await producer.disconnect();
    }
  },
  async consume(side, { topic, partitions, records }: Order) {
    const consumer = kafka(side).consumer({ groupId: `bench-${topic}-${Date.now()}` });
    let start = Number.NaN;
    let seen = 0;
    const done = Promise.withResolvers<void>();
    // Joining is not what is measured.
    consumer.on(consumer.events.GROUP_JOIN, () => (start = performance.now()));
    consumer.on(consumer.events.CRASH, ({ payload }) => done.reject(payload.error));
    await consumer.connect();
    try {
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run({
        partitionsConsumedConcurrently: partitions,
        eachBatch: ({ batch }) => {
          seen += batch.messages.length;
          if (seen >= records) done.resolve();
          return Promise.resolve();
        },
      });
      await done.promise;
      return { records: seen, seconds: (performance.now() - start) / 1_000 };
    } finally {
      await consumer.disconnect();
    }
  },
  cpuSeconds: ownCpuSeconds,
};

function kafka({ bootstrap }: Side): Kafka {
  return new Kafka({ brokers: [bootstrap], clientId: 'bench', logLevel: logLevel.NOTHING });
}
