/** @platformatic/kafka with its defaults where they allow; it runs in the process of the bench. */
import { Consumer, MessagesStreamModes, Producer } from '@platformatic/kafka';

import { ownCpuSeconds } from '../process-usage.ts';
import type { Client } from './cell.ts';
import { recordText } from './record-text.ts';
import type { Side } from './side.ts';

const IN_FLIGHT = 4;
const RECORDS_PER_SEND_AND_PARTITION = 100;

export const platformaticClient: Client = {
  async produce(side, { topic, partitions, recordBytes, records, acks }) {
    const producer = new Producer(base(side));
    try {
      const messages = Array.from({ length: partitions * RECORDS_PER_SEND_AND_PARTITION }, (_, index) => ({
        topic,
        value: Buffer.from(recordText(recordBytes)),
        partition: index % partitions,
      }));
      let left = records;
      const start = performance.now();
      const sender = async (): Promise<void> => {
        while (left > 0) {
          const some = left >= messages.length ? messages : messages.slice(0, left);
          left -= some.length;
          await producer.send({ acks: acks === 'all' ? -1 : 1, messages: some });
        }
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, sender));
      return { records, seconds: (performance.now() - start) / 1_000 };
    } finally {
      await producer.close();
    }
  },
  async consume(side, { topic, records }) {
    const consumer = new Consumer({ ...base(side), groupId: `bench-${topic}-${Date.now()}` });
    try {
      const stream = await consumer.consume({
        topics: [topic],
        mode: MessagesStreamModes.EARLIEST,
        autocommit: false,
      });
      // It has joined by now.
      const start = performance.now();
      let seen = 0;
      await new Promise<void>((resolve, reject) => {
        stream.on('error', reject);
        stream.on('data', () => {
          seen += 1;
          if (seen >= records) resolve();
        });
      });
      const seconds = (performance.now() - start) / 1_000;
      await stream.close();
      return { records: seen, seconds };
    } finally {
      await consumer.close(true);
    }
  },
  cpuSeconds: ownCpuSeconds,
};

function base({ bootstrap }: Side): { clientId: string; bootstrapBrokers: string[] } {
  return { clientId: 'bench', bootstrapBrokers: [bootstrap] };
}
