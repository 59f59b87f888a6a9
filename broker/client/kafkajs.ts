import { Kafka, type LogEntry, logLevel } from 'kafkajs';

import type { Host } from '../host/host.ts';
import type { Log } from '../host/log.ts';
import { readClientTls } from './client-tls.ts';
import type { ClientSecurity } from './connection.ts';
import { kafkajsAdmin } from './kafkajs-admin.ts';
import { CONSUMER_TIMING, type ConsumerTiming, kafkajsConsumer } from './kafkajs-consumer.ts';
import { patchKafkajs } from './kafkajs-patches.ts';
import { kafkajsSecurity } from './kafkajs-security.ts';
import { passwordOf } from './login.ts';
import type { KafkaClient, Reader, ReaderOptions } from './port.ts';
import { openReader } from './reader.ts';
import { WireClient } from './wire-client.ts';
import { wireProducer } from './wire-producer.ts';

export interface KafkaOptions extends ClientSecurity {
  /** `host:port`. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Shorter times make tests quick and idle brokers busy. */
  readonly timing?: Partial<ConsumerTiming>;
}

/**
 * The Kafka client of the port. Nothing connects here: a broker that is away shows in the calls, and producers
 * and consumers find it when it comes back. Files of `tls` and `sasl` are looked at.
 * @throws KafkaError that names the file which cannot be used
 */
export async function openKafka(options: KafkaOptions, host: Host): Promise<KafkaClient> {
  if (options.tls) await readClientTls(host, options.tls);
  if (options.sasl) await passwordOf(options.sasl, host);
  patchKafkajs();
  const kafka = new Kafka({
    clientId: options.clientId,
    ...kafkajsSecurity(options, host),
    connectionTimeout: 3_000,
    requestTimeout: 15_000,
    retry: { initialRetryTime: 100, multiplier: 2, maxRetryTime: 1_000, retries: 4 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => passOn(host.log, entry),
  });
  const timing = { ...CONSUMER_TIMING, ...options.timing };
  const wire = new WireClient(host, options);
  const closers = new Set<{ close(): Promise<void> }>();
  const kept = <T extends { close(): Promise<void> }>(made: T): T => {
    closers.add(made);
    const close = made.close.bind(made);
    made.close = () => {
      closers.delete(made);
      return close();
    };
    return made;
  };
  /**
   * A broker answers the requests of one connection in their order, so a reader's long poll would hold up
   * everything else on it: each reader gets connections of its own.
   */
  const readerOfItsOwn = async (reader: ReaderOptions): Promise<Reader> => {
    const own = new WireClient(host, options);
    try {
      const opened = await openReader(own, host, reader);
      return {
        close() {
          // In this order the fetch that waits ends at once, and is not taken for a failure.
          const closed = opened.close();
          own.close();
          return closed;
        },
      };
    } catch (error) {
      own.close();
      throw error;
    }
  };
  return {
    producer: () => Promise.resolve(kept(wireProducer(new WireClient(host, options), host))),
    consumer: (consumer) => Promise.resolve(kept(kafkajsConsumer(kafka, host, consumer, timing))),
    reader: async (reader) => kept(await readerOfItsOwn(reader)),
    admin: () => Promise.resolve(kept(kafkajsAdmin(kafka, wire))),
    async close() {
      await Promise.all([...closers].map((made) => made.close()));
      wire.close();
    },
  };
}

/**
 * kafkajs says every retry as an error. What matters to an operator is said once by the layers above, so its own
 * words are for those who look closer.
 */
function passOn(log: Log, { namespace, log: { message, ...fields } }: LogEntry): void {
  const {
    stack: _stack,
    timestamp: _timestamp,
    logger: _logger,
    ...rest
  } = fields as Record<string, unknown>;
  log.debug({ ...rest, kafkajs: namespace }, message);
}
