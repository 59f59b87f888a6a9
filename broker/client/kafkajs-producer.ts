import { type Kafka, Partitioners, type Producer as KafkajsProducer } from 'kafkajs';

import type { Host } from '../host/host.ts';
import { deadline } from './deadline.ts';
import { KafkaError } from './error.ts';
import { kafkaErrorOf } from './kafkajs-errors.ts';
import type { Producer, ProduceRecord } from './port.ts';

/** After this a send has failed for its caller, whatever kafkajs still tries. */
const SEND_TIMEOUT_MS = 20_000;
/** How long the broker may take to make a request durable. */
const ACK_TIMEOUT_MS = 10_000;
const DISCONNECT_TIMEOUT_MS = 5_000;

/**
 * The producing half of the port over kafkajs.
 *
 * Not idempotent, on purpose: kafkajs takes a sequence number back when a send fails. After retries have run out
 * (ours do, a send must fail in finite time) the next records would carry the number of records that may be
 * stored already; the broker would take them for the repeat and acknowledge what it does not have. Without it
 * the worst is a repeat, which source and sequence in the headers let readers drop.
 *
 * Callers that need order per key keep one send in flight: kafkajs retries inside of a send.
 */
export function kafkajsProducer(kafka: Kafka, host: Host): Producer {
  let connected: Promise<KafkajsProducer> | undefined;
  let closed = false;

  const connect = async (): Promise<KafkajsProducer> => {
    const producer = kafka.producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      // A topic that is missing is an error: created on the way it would have the broker's defaults, not its plan.
      allowAutoTopicCreation: false,
      idempotent: false,
      retry: { initialRetryTime: 100, multiplier: 2, maxRetryTime: 1_000, retries: 5 },
    });
    await producer.connect();
    return producer;
  };

  /** A producer whose state is unknown is not used again: its late retries could mix with the next send. */
  const abandon = (producer: Promise<KafkajsProducer>): void => {
    if (connected === producer) connected = undefined;
    producer.then((made) => made.disconnect()).catch(() => undefined);
  };

  return {
    async send(topic, records) {
      if (closed) throw new KafkaError('CLOSED', `cannot produce to ${topic}: the producer is closed`, false);
      const producer = (connected ??= connect());
      const sending = producer.then((made) =>
        made.send({ topic, acks: -1, timeout: ACK_TIMEOUT_MS, messages: records.map(message) }),
      );
      try {
        const touched = await deadline(host.timers, sending, SEND_TIMEOUT_MS, `produce to ${topic}`);
        return touched.map(({ partition, baseOffset }) => ({ partition, baseOffset: Number(baseOffset) }));
      } catch (error) {
        abandon(producer);
        throw kafkaErrorOf(error, `produce to ${topic}`);
      }
    },
    async close() {
      closed = true;
      const producer = connected;
      connected = undefined;
      if (!producer) return;
      const disconnected = producer.then((made) => made.disconnect());
      await deadline(host.timers, disconnected, DISCONNECT_TIMEOUT_MS, 'disconnect the producer').catch(
        () => undefined,
      );
    },
  };
}

function message(record: ProduceRecord): {
  key: Buffer | null;
  value: Buffer | null;
  headers?: Record<string, string | Buffer>;
  partition?: number;
  timestamp?: string;
} {
  return {
    key: record.key && bufferOf(record.key),
    value: record.value && bufferOf(record.value),
    ...(record.headers && { headers: headersOf(record.headers) }),
    ...(record.partition !== undefined && { partition: record.partition }),
    ...(record.timestampMs !== undefined && { timestamp: String(record.timestampMs) }),
  };
}

function headersOf(headers: Readonly<Record<string, string | Uint8Array>>): Record<string, string | Buffer> {
  const made: Record<string, string | Buffer> = {};
  for (const [name, value] of Object.entries(headers)) {
    made[name] = typeof value === 'string' ? value : bufferOf(value);
  }
  return made;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
