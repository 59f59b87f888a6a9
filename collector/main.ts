import { Backoff } from '../broker/client/backoff.ts';
import { openKafka } from '../broker/client/kafkajs.ts';
import type { KafkaClient } from '../broker/client/port.ts';
import type { Host } from '../broker/host/host.ts';
import { listen } from '../broker/host/listen-fastify.ts';
import type { Part } from '../broker/host/part.ts';
import { TOPIC_PLANS } from '../broker/records/topics.ts';
import type { CollectorConfig } from './config.ts';
import { Gateway } from './gateway/gateway.ts';
import { otlpHttpServer } from './inputs/otlp-http/server.ts';

/**
 * The write edge: OTLP over HTTP in, Kafka records out. Starts without a broker, refusing requests until it is
 * there. Throws only for its own faults: a port that is taken, a bad address.
 */
export async function start(config: CollectorConfig, host: Host): Promise<Part> {
  const kafka = await openKafka({ ...config.kafka, clientId: 'millrace-collector' }, host);
  return startWith(kafka, config, host);
}

/** The same on any Kafka client. */
export async function startWith(kafka: KafkaClient, config: CollectorConfig, host: Host): Promise<Part> {
  const producer = await kafka.producer();
  const gateway = new Gateway(producer, host, config);
  const stopping = new AbortController();
  gateway.onTopicMissing = () => {
    gateway.setTopicsReady(false);
    void ensureTopics(kafka, gateway, host, stopping.signal);
  };
  const topicsReady = ensureTopics(kafka, gateway, host, stopping.signal);

  const server = otlpHttpServer(gateway, host, {
    ...config.otlpHttp,
    bodyBytesMax: config.bodyBytesMax,
    receivingBytesMax: Math.max(config.inFlightBytesMax, config.bodyBytesMax),
  });
  const { host: name, port } = config.otlpHttp;
  const listening = await listen(server, name, port).catch(async (error: unknown) => {
    stopping.abort();
    await kafka.close();
    throw error;
  });
  host.log.info({ host: name, port: listening.port }, 'OTLP over HTTP');
  // Whoever starts us next to a broker would rather wait a moment than be told 503.
  await Promise.race([topicsReady, host.timers.sleep(READY_WAIT_MS, stopping.signal)]);

  let stopped: Promise<void> | undefined;
  return {
    addresses: { otlpHttp: { host: name, port: listening.port } },
    stop: (deadlineMs) => (stopped ??= stop(deadlineMs)),
  };

  async function stop(deadlineMs: number): Promise<void> {
    const done = new AbortController();
    const deadline = host.timers.sleep(deadlineMs, done.signal);
    stopping.abort();
    // New connections are refused, requests in flight get their answer, then the producer goes.
    const drained = listening
      .close()
      .then(() => gateway.drain(deadlineMs))
      .then(() => kafka.close())
      .catch((error: unknown) => host.log.warn({ error: String(error) }, 'cannot stop cleanly'));
    await Promise.race([drained, deadline]);
    done.abort();
    listening.destroy();
  }
}

/** A start beside a broker that is just there waits this long for the topics. */
const READY_WAIT_MS = 2_000;

const ensuring = new WeakSet<Gateway>();

/** Creates the topics that are missing, trying until it works; at most once at a time. */
async function ensureTopics(
  kafka: KafkaClient,
  gateway: Gateway,
  host: Host,
  stop: AbortSignal,
): Promise<void> {
  if (ensuring.has(gateway)) return;
  ensuring.add(gateway);
  const backoff = new Backoff(host.random, 100, 3_000);
  let failing = false;
  const admin = await kafka.admin();
  while (!stop.aborted) {
    try {
      await admin.ensureTopics(TOPIC_PLANS);
      gateway.setTopicsReady(true);
      host.log.info({}, failing ? 'the broker is there, topics are ready' : 'topics are ready');
      break;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (!failing) host.log.warn({ reason }, 'cannot reach the broker yet; requests are told to wait');
      failing = true;
    }
    await host.timers.sleep(backoff.next(), stop);
  }
  ensuring.delete(gateway);
}
