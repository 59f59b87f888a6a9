import {
  Consumer,
  type Message,
  MessagesStreamModes,
  Producer,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka';

import type { ClientPort, ConsumerPort, ProducerPort, TransactionPort } from './client-port.ts';

const POLL_MS = 200;
const RECORDS_A_POLL = 20;

type Read = Message<string, string, string, string>;

export function platformaticPort(address: string, topic: string): ClientPort {
  const base = {
    clientId: 'history-platformatic',
    bootstrapBrokers: [address],
    retries: 30,
    retryDelay: 50,
    timeout: 5_000,
  };
  return {
    name: 'platformatic',
    // It leaves out aborted records by the markers in the same answer, not by the list of aborted transactions.
    isolation: 'leaking',
    async producer(transactionalId): Promise<ProducerPort> {
      const producer = new Producer({
        ...base,
        serializers: stringSerializers,
        idempotent: true,
        ...(transactionalId !== undefined && { transactionalId }),
      });
      if (transactionalId !== undefined) {
        // Only its first transaction asks for a producer id, and by default as producer 0 of epoch 0, which fences it.
        const first = await producer.beginTransaction({ producerId: -1n, producerEpoch: -1 });
        await first.cancel();
      }
      const send =
        (via: Pick<typeof producer, 'send'>) => async (partition: number, values: readonly string[]) => {
          const messages = values.map((value) => ({ topic, partition, value }));
          const { offsets } = await via.send({ messages, acks: -1 });
          const offset = Number(offsets?.[0]?.offset ?? -1);
          return offset < 0 ? undefined : offset;
        };
      return {
        async begin(): Promise<TransactionPort> {
          const transaction = await producer.beginTransaction();
          return {
            send: send(transaction),
            async sendPositions(consumer) {
              const { consumer: member, last } = consumer as PlatformaticConsumer;
              await transaction.addConsumer(member);
              for (const message of last.values()) await transaction.addOffset(message);
            },
            commit: () => transaction.commit(),
            abort: () => transaction.abort(),
          };
        },
        send: send(producer),
        close: () => producer.close(true),
      };
    },
    consumer: (groupId) => startConsumer(base, topic, groupId),
  };
}

interface PlatformaticConsumer extends ConsumerPort {
  readonly consumer: Consumer<string, string, string, string>;
  /** Last record of each partition in the last poll. */
  last: Map<number, Read>;
}

async function startConsumer(
  base: { clientId: string; bootstrapBrokers: string[] },
  topic: string,
  groupId: string,
): Promise<PlatformaticConsumer> {
  const consumer = new Consumer<string, string, string, string>({
    ...base,
    groupId,
    deserializers: stringDeserializers,
    sessionTimeout: 6_000,
    rebalanceTimeout: 6_000,
    heartbeatInterval: 500,
  });
  const messages: Read[] = [];
  let broken: Error | undefined;
  let arrived = (): void => {};
  const stream = await consumer.consume({
    topics: [topic],
    mode: MessagesStreamModes.COMMITTED,
    fallbackMode: 'earliest',
    autocommit: false,
    maxWaitTime: 50,
    isolationLevel: 1,
  });
  stream.on('data', (message: Read) => {
    messages.push(message);
    arrived();
  });
  stream.on('error', (error: Error) => {
    broken = error;
    arrived();
  });
  const port: PlatformaticConsumer = {
    groupId,
    consumer,
    last: new Map(),
    async poll() {
      if (messages.length === 0 && !broken) {
        await new Promise<void>((resolve) => {
          arrived = resolve;
          setTimeout(resolve, POLL_MS);
        });
      }
      if (broken) throw broken;
      const some = messages.splice(0, RECORDS_A_POLL);
      port.last = new Map(some.map((message) => [message.partition, message]));
      return some.map(({ partition, offset, value }) => ({ partition, offset: Number(offset), value }));
    },
    close: () => consumer.close(true),
  };
  return port;
}
