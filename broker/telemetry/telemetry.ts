/** Metrics that clients push (KIP-714), kept as records of the topic that the pipeline's own metrics go to. */
import type { Counter } from '../host/metrics.ts';
import { crc32c } from '../log/batch/crc32c.ts';
import { LogError } from '../log/errors.ts';
import { RECORD_BYTES_MAX, RECORD_HEADERS } from '../records/headers.ts';
import { SIGNAL_TOPICS, TOPIC_PLANS } from '../records/topics.ts';
import type { Broker, RequestContext } from '../server/broker.ts';
import { encodeBatch } from '../state/record-batch.ts';
import type { ErrorName } from '../wire/errors.ts';
import { ClientInstances, onGet, onPush, type Push } from './client-instances.ts';
import { decoratedPayload } from './payload.ts';
import { type ClientFacts, resourcesOf, type Subscription, subscriptionFor } from './subscriptions.ts';

/** Kafka's `telemetry.max.bytes`. */
export const TELEMETRY_BYTES_MAX = 1024 * 1024;

type Asker = Pick<RequestContext, 'broker' | 'clientId' | 'connection'>;

export class Telemetry {
  readonly instances = new ClientInstances();
  private readonly points: Counter;
  private readonly refusals: Counter;

  constructor(counter: (name: string, help: string) => Counter) {
    this.points = counter('millrace_broker_client_metric_points_total', 'Data points that clients pushed.');
    this.refusals = counter('millrace_broker_client_metric_refusals_total', 'Pushes refused, by error.');
  }

  get(id: string, asker: Asker): { error: ErrorName | undefined; subscription: Subscription } {
    const subscription = subscriptionOf(id, asker);
    const nowMs = asker.broker.host.clock.monotonicMs();
    const { instance, error } = onGet(this.instances.get(id), subscription.pushIntervalMs, nowMs);
    this.instances.set(id, instance);
    return { error, subscription };
  }

  async push(id: string, push: Push, metrics: Buffer, asker: Asker): Promise<ErrorName | undefined> {
    const { host } = asker.broker;
    const expected = { subscriptionId: subscriptionOf(id, asker).id, bytesMax: TELEMETRY_BYTES_MAX };
    const step = onPush(this.instances.get(id), push, expected, host.clock.monotonicMs());
    this.instances.set(id, step.instance);
    const error = step.error ?? (metrics.length > 0 ? await this.keep(id, push, metrics, asker) : undefined);
    if (error !== undefined) this.refusals.add(1, { error });
    return error;
  }

  private async keep(
    id: string,
    { compressionType }: Push,
    metrics: Buffer,
    { broker, clientId, connection }: Asker,
  ): Promise<ErrorName | undefined> {
    const attributes = {
      client_instance_id: id,
      client_id: clientId,
      principal: connection.principal,
      client_source_address: connection.remote.host,
    };
    let payload: ReturnType<typeof decoratedPayload>;
    try {
      payload = decoratedPayload(metrics, compressionType, attributes, RECORD_BYTES_MAX);
    } catch (error) {
      broker.host.log.warn({ err: error, clientId }, 'cannot read the metrics that a client pushed');
      return 'INVALID_RECORD';
    }
    try {
      const topic = await metricsTopic(broker);
      const key = Buffer.from(id);
      const partition = topic.partitions[crc32c(key) % topic.partitions.length]!;
      const nowMs = broker.host.clock.nowMs();
      const headers = [{ name: RECORD_HEADERS.count, value: Buffer.from(String(payload.count)) }];
      const batch = encodeBatch([{ key, value: payload.value, headers }], nowMs);
      await partition.append(batch, { nowMs, origin: 'client' }).durable;
      this.points.add(payload.count);
      return undefined;
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      broker.host.log.warn({ err: error }, 'cannot keep the metrics that a client pushed');
      return 'KAFKA_STORAGE_ERROR';
    }
  }
}

function subscriptionOf(id: string, { broker, clientId, connection }: Asker): Subscription {
  const client: ClientFacts = {
    client_instance_id: id,
    client_id: clientId,
    client_software_name: connection.software.name,
    client_software_version: connection.software.version,
    client_source_address: connection.remote.host,
    client_source_port: String(connection.remote.port),
  };
  return subscriptionFor(client, resourcesOf(broker.configs.admin));
}

async function metricsTopic({ log, topics }: Broker) {
  const name = SIGNAL_TOPICS.metrics;
  const plan = TOPIC_PLANS.find((one) => one.name === name)!;
  return log.topic(name) ?? (await topics.create(name, plan.partitions, plan.configs));
}
