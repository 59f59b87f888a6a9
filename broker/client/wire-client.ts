import type { Host } from '../host/host.ts';
import { ERRORS } from '../wire/errors.ts';
import { metadata } from '../wire/schemas/index.ts';
import { type ClientSecurity, Connection } from './connection.ts';
import { KafkaError } from './error.ts';

export interface WireTopic {
  readonly name: string;
  readonly topicId: string;
  readonly internal: boolean;
  /** Leader's node id by partition; -1 without a leader. */
  readonly leaders: ReadonlyMap<number, number>;
}

/**
 * A small client of our own over the wire protocol, for what kafkajs cannot do: topic ids (Metadata 10+), newer
 * fetch versions, partitions read without a group. It routes by leader, so it works against a cluster too.
 */
export class WireClient {
  private readonly host: Host;
  private readonly clientId: string;
  private readonly security: ClientSecurity;
  private readonly bootstrap: ReadonlyArray<{ host: string; port: number }>;
  private readonly connections = new Map<string, Promise<Connection>>();
  private nodes = new Map<number, { host: string; port: number }>();
  private closed = false;

  constructor(host: Host, options: ClientSecurity & { brokers: readonly string[]; clientId: string }) {
    this.host = host;
    this.clientId = options.clientId;
    this.security = { tls: options.tls, sasl: options.sasl };
    this.bootstrap = options.brokers.map(addressOf);
  }

  /** Topics by name, or all; a topic that does not exist is left out. */
  async topics(names?: readonly string[]): Promise<{ clusterId: string; topics: WireTopic[] }> {
    const connection = await this.any();
    const request = {
      topics: names ? names.map((name) => ({ name })) : null,
      allowAutoTopicCreation: false,
    };
    const response = await connection.request(metadata, request, { versionMax: 12 });
    this.nodes = new Map(response.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    const topics = response.topics
      .filter(({ errorCode, name }) => errorCode === 0 && name !== null)
      .map(({ name, topicId, isInternal, partitions }) => ({
        name: name!,
        topicId,
        internal: isInternal,
        leaders: new Map(partitions.map(({ partitionIndex, leaderId }) => [partitionIndex, leaderId])),
      }));
    return { clusterId: response.clusterId ?? '', topics };
  }

  async topic(name: string): Promise<WireTopic> {
    const { topics } = await this.topics([name]);
    const [topic] = topics;
    if (topic) return topic;
    throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `cannot find topic ${name}`, true);
  }

  /** A connection to a node that the last metadata named. */
  async node(nodeId: number): Promise<Connection> {
    const address = this.nodes.get(nodeId);
    if (address) return this.connect(address);
    throw new KafkaError(
      'LEADER_NOT_AVAILABLE',
      `cannot reach node ${nodeId}: it is not in the metadata`,
      true,
    );
  }

  /** A connection to any bootstrap address that answers. */
  async any(): Promise<Connection> {
    let failure: unknown;
    for (const address of this.bootstrap) {
      try {
        return await this.connect(address);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  close(): void {
    this.closed = true;
    for (const connection of this.connections.values()) {
      connection.then((one) => one.close()).catch(() => undefined);
    }
    this.connections.clear();
  }

  private async connect(address: { host: string; port: number }): Promise<Connection> {
    if (this.closed) throw new KafkaError('CLOSED', 'cannot connect: the client is closed', false);
    const key = `${address.host}:${address.port}`;
    const known = await this.connections.get(key)?.catch(() => undefined);
    if (known && !known.closed) return known;
    const opening = Connection.open(this.host, address, this.clientId, this.security);
    this.connections.set(key, opening);
    opening.catch(() => this.connections.delete(key));
    return opening;
  }
}

/** Throws what a broker's error code says, `doing` completing "cannot …". */
export function throwOnError(errorCode: number, doing: string): void {
  if (errorCode === 0) return;
  for (const [name, { code, retriable }] of Object.entries(ERRORS)) {
    if (code === errorCode)
      throw new KafkaError(name, `cannot ${doing}: the broker answers ${name}`, retriable);
  }
  throw new KafkaError('UNKNOWN_SERVER_ERROR', `cannot ${doing}: the broker answers ${errorCode}`, false);
}

function addressOf(broker: string): { host: string; port: number } {
  const colon = broker.lastIndexOf(':');
  const port = Number(broker.slice(colon + 1));
  if (colon < 1 || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new KafkaError('CLIENT', `cannot use broker address: got "${broker}", want host:port`, false);
  }
  return { host: broker.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port };
}
