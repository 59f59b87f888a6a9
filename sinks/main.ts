/**
 * The sink: consumes the OTLP topics and stores each record exactly once in ClickHouse. It starts whether or not
 * broker and ClickHouse are there, and says once when it has to wait for one of them.
 */
import { Backoff } from '../broker/client/backoff.ts';
import { openKafka } from '../broker/client/kafkajs.ts';
import type { Consumer, KafkaClient } from '../broker/client/port.ts';
import type { Host } from '../broker/host/host.ts';
import type { Part } from '../broker/host/part.ts';
import { DEAD_LETTER_TOPIC, SIGNAL_TOPICS, TOPIC_PLANS } from '../broker/records/topics.ts';
import { openClickHouse } from './clickhouse/client.ts';
import { migrate } from './clickhouse/migrate.ts';
import type { ClickHouse } from './clickhouse/port.ts';
import type { SinkConfig } from './config.ts';
import { createDelivery, type Delivery } from './delivery/delivery.ts';

const TOPICS: readonly string[] = Object.values(SIGNAL_TOPICS);
/** Share of a stop's deadline for storing what is in hand; the rest is for leaving the group. */
const DRAIN_SHARE = 0.6;

export interface Seams {
  readonly kafka: KafkaClient;
  readonly clickhouse: ClickHouse;
}

export async function start(config: SinkConfig, host: Host, seams?: Seams): Promise<Part> {
  const kafka = seams?.kafka ?? (await openKafka({ ...config.kafka, clientId: 'millrace-sink' }, host));
  const clickhouse = seams?.clickhouse ?? openClickHouse(config.clickhouse);
  const stopped = new AbortController();
  let delivery: Delivery | undefined;
  let consumer: Consumer | undefined;

  async function run(): Promise<void> {
    const { database } = config.clickhouse;
    const { retentionDays } = config;
    const admin = await kafka.admin();
    await untilItWorks('reach ClickHouse', () => migrate(clickhouse, { database, retentionDays }, host.log));
    const plans = TOPIC_PLANS.filter(({ name }) => TOPICS.includes(name) || name === DEAD_LETTER_TOPIC);
    await untilItWorks('reach the broker', () => admin.ensureTopics(plans));
    if (stopped.signal.aborted) return;
    const producer = await kafka.producer();
    const { batch, inFlightBytesMax } = config;
    delivery = createDelivery({
      host,
      admin,
      producer,
      clickhouse,
      database,
      batch,
      inFlightBytesMax,
      retentionDays,
    });
    consumer = await kafka.consumer({ groupId: config.groupId, topics: TOPICS, ...delivery });
    delivery.attach(consumer);
  }

  async function untilItWorks(doing: string, attempt: () => Promise<void>): Promise<void> {
    const backoff = new Backoff(host.random, 200, 5_000);
    let failed = false;
    while (!stopped.signal.aborted) {
      try {
        await attempt();
        if (failed) host.log.info({ doing }, 'could at last');
        return;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        if (!failed) host.log.warn({ doing, reason }, 'cannot yet: trying again until it works');
        failed = true;
      }
      await host.timers.sleep(backoff.next(), stopped.signal);
    }
  }

  const running = run().catch((error: unknown) => {
    // Everything that can be away is waited for; what arrives here is a bug of ours, and said as one.
    host.log.error({ error: error instanceof Error ? error.stack : String(error) }, 'the sink does not run');
  });

  async function close(deadlineMs: number): Promise<void> {
    stopped.abort();
    await running;
    delivery?.stopWithin(deadlineMs * DRAIN_SHARE);
    await consumer?.close();
    await kafka.close();
    await clickhouse.close();
  }

  let stopping: Promise<void> | undefined;
  return {
    addresses: {},
    stop(deadlineMs) {
      const overdue = new AbortController();
      stopping ??= Promise.race([
        close(deadlineMs).catch((error: unknown) => {
          host.log.warn(
            { error: String(error) },
            'cannot close cleanly: what is in doubt is looked at next time',
          );
        }),
        host.timers.sleep(deadlineMs, overdue.signal),
      ]).finally(() => overdue.abort());
      return stopping;
    },
  };
}
