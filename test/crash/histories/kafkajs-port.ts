import { Kafka, logLevel, type Producer, type Transaction } from 'kafkajs';

import { patchKafkajs } from '../../../broker/client/kafkajs-patches.ts';
import type { ClientPort, ConsumerPort, ProducerPort, TransactionPort } from './client-port.ts';
import type { Polled } from './history.ts';

const POLL_MS = 200;

export function kafkajsPort(address: string, topic: string): ClientPort {
  patchKafkajs();
  const kafka = new Kafka({
    clientId: 'history-kafkajs',
    brokers: [address],
    logLevel: logLevel.NOTHING,
    requestTimeout: 5_000,
    retry: { initialRetryTime: 30, maxRetryTime: 300, retries: 15 },
  });
  const send = (via: Producer | Transaction) => async (partition: number, values: readonly string[]) => {
    const [answer] = await via.send({ topic, messages: values.map((value) => ({ partition, value })) });
    return offsetIn(answer?.baseOffset);
  };
  return {
    name: 'kafkajs',
    // Of several aborted transactions that begin before a record it looks at one, and hands over that of the others.
    isolation: 'leaking',
    async producer(transactionalId): Promise<ProducerPort> {
      const producer = kafka.producer({
        idempotent: true,
        maxInFlightRequests: 1,
        transactionTimeout: 5_000,
        ...(transactionalId !== undefined && { transactionalId }),
      });
      await producer.connect();
      return {
        async begin(): Promise<TransactionPort> {
          const transaction = await producer.transaction();
          return {
            send: send(transaction),
            async sendPositions(consumer) {
              const { positions } = consumer as KafkajsConsumer;
              const partitions = positions.map(([partition, offset]) => ({ partition, offset: `${offset}` }));
              await transaction.sendOffsets({
                consumerGroupId: consumer.groupId,
                topics: [{ topic, partitions }],
              });
            },
            commit: () => transaction.commit(),
            abort: () => transaction.abort(),
          };
        },
        send: send(producer),
        close: () => producer.disconnect(),
      };
    },
    consumer: async (groupId) => startConsumer(kafka, topic, groupId),
  };
}

interface KafkajsConsumer extends ConsumerPort {
  positions: Array<[partition: number, offset: number]>;
}

/** This client pushes batches; each waits here until it is polled, and is done with at the next poll. */
async function startConsumer(kafka: Kafka, topic: string, groupId: string): Promise<KafkajsConsumer> {
  const consumer = kafka.consumer({
    groupId,
    sessionTimeout: 6_000,
    heartbeatInterval: 500,
    maxWaitTimeInMs: 50,
  });
  const batches: Array<{ records: Polled[]; end: [number, number]; done: () => void }> = [];
  let current: (() => void) | undefined;
  let closed = false;
  let arrived = (): void => {};
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    async eachBatch({ batch }) {
      if (closed) return;
      const { partition, messages } = batch;
      const records = messages.map(({ offset, value }) => ({
        partition,
        offset: Number(offset),
        value: value!.toString(),
      }));
      const end: [number, number] = [partition, Number(batch.lastOffset()) + 1];
      await new Promise<void>((done) => {
        batches.push({ records, end, done });
        arrived();
      });
    },
  });
  const finish = (): void => {
    current?.();
    current = undefined;
  };
  const port: KafkajsConsumer = {
    groupId,
    positions: [],
    async poll() {
      finish();
      if (batches.length === 0) {
        await new Promise<void>((resolve) => {
          arrived = resolve;
          setTimeout(resolve, POLL_MS);
        });
      }
      const batch = batches.shift();
      if (!batch) return [];
      current = batch.done;
      port.positions = [batch.end];
      return batch.records;
    },
    async close() {
      closed = true;
      finish();
      for (const { done } of batches.splice(0)) done();
      await consumer.disconnect();
    },
  };
  return port;
}

function offsetIn(text: string | undefined): number | undefined {
  const offset = Number(text ?? -1);
  return offset < 0 ? undefined : offset;
}
