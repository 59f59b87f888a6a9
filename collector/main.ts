import type { AddressInfo } from 'node:net';

import type { FastifyInstance } from 'fastify';

import { Backoff } from '../broker/client/backoff.ts';
import { openKafka } from '../broker/client/kafkajs.ts';
import type { KafkaClient } from '../broker/client/port.ts';
import type { Host } from '../broker/host/host.ts';
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
  const kafka = openKafka({ brokers: config.kafka.brokers, clientId: 'millrace-collector' }, host);
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
  void ensureTopics(kafka, gateway, host, stopping.signal);

  const server = otlpHttpServer(gateway, host, {
    ...config.otlpHttp,
    bodyBytesMax: config.bodyBytesMax,
    receivingBytesMax: Math.max(config.inFlightBytesMax, config.bodyBytesMax),
  });
  await listen(server, config).catch(async (error: unknown) => {
    stopping.abort();
    await kafka.close();
    throw error;
  });
  const { address, port } = server.server.address() as AddressInfo;
  host.log.info({ address, port }, 'OTLP over HTTP');

  let stopped: Promise<void> | undefined;
  return {
    addresses: { otlpHttp: { host: config.otlpHttp.host, port } },
    stop: (deadlineMs) => (stopped ??= stop(deadlineMs)),
  };

  async function stop(deadlineMs: number): Promise<void> {
    const done = new AbortController();
    const deadline = host.timers.sleep(deadlineMs, done.signal);
    stopping.abort();
    // New connections are refused, requests in flight get their answer, then the producer goes.
    const drained = server
      .close()
      .then(() => gateway.drain(deadlineMs))
      .then(() => kafka.close())
      .catch((error: unknown) => host.log.warn({ error: String(error) }, 'cannot stop cleanly'));
    await Promise.race([drained, deadline]);
    done.abort();
    server.server.closeAllConnections();
  }
}

async function listen(server: FastifyInstance, { otlpHttp }: CollectorConfig): Promise<void> {
  try {
    await server.listen({ host: otlpHttp.host, port: otlpHttp.port });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const where = `${otlpHttp.host}:${otlpHttp.port}`;
    const got = code === 'EADDRINUSE' ? 'a port that is in use' : message;
    throw new Error(`cannot listen for OTLP on ${where}: got ${got}, want a free port (otlpHttp.port)`, {
      cause: error,
    });
  }
}

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
