import { type BrokerConfig, brokerConfig } from '../../../broker/config.ts';
import { ReadAhead } from '../../../broker/fetch/read-ahead.ts';
import { SessionCache } from '../../../broker/fetch/session-cache.ts';
import { ReadBuffers } from '../../../broker/log/segment/read-buffers.ts';
import { GroupCoordinator } from '../../../broker/groups/coordinator.ts';
import { HANDLERS } from '../../../broker/handlers/index.ts';
import type { LogConfig } from '../../../broker/log/config.ts';
import type { DiskLog } from '../../../broker/log/disk-log.ts';
import { openDiskLog } from '../../../broker/log/open-log.ts';
import type { Broker, RequestContext } from '../../../broker/server/broker.ts';
import { openFeatures } from '../../../broker/server/features.ts';
import { TopicRegistry } from '../../../broker/server/topics.ts';
import { ShareGroups } from '../../../broker/share/share-groups.ts';
import { TransactionCoordinator } from '../../../broker/transactions/coordinator.ts';
import { openProducerIds } from '../../../broker/transactions/producer-ids.ts';
import type { Api } from '../../../broker/wire/codec.ts';
import type { Decoded, Encodable, Fields } from '../../../broker/wire/schema.ts';
import type { SimHost } from '../../sim/sim-host.ts';
import { askHandler } from '../../support/ask-handler.ts';

const DATA_DIR = '/data';
/** Share groups begin with what is there, so that a record that was never delivered is noticed. */
const GROUP_CONFIGS = { 'share.auto.offset.reset': 'earliest' };

/** Small, so that files are closed and checkpoints made within tens of requests. */
const LOG = {
  dataDir: DATA_DIR,
  segmentBytes: 4_000,
  walFileBytes: 12_000,
  tailBytesMax: 0,
  reserveBytes: 0,
};

const CONFIG: BrokerConfig = brokerConfig.parse({
  dataDir: DATA_DIR,
  offsetsTopicPartitions: 2,
  transactionTopicPartitions: 2,
  shareStatePartitions: 2,
  shareDeliveryCountLimit: 10,
  transactionAbortIntervalMs: 20,
});

/**
 * One life of a broker on a simulated machine: log and coordinators put together and started in the order of
 * `broker/main.ts`, reached through the handlers, without sockets.
 */
export class BrokerProcess {
  readonly broker: Broker;
  readonly log: DiskLog;
  /** Called with the key of each request, before it is handled. */
  onAsk: (key: number) => void = () => {};
  readonly #context: Omit<RequestContext, 'version'>;

  private constructor(broker: Broker, log: DiskLog) {
    this.broker = broker;
    this.log = log;
    this.#context = {
      broker,
      clientId: 'test',
      connection: {
        remote: { host: '127.0.0.1', port: 1 },
        nodeId: CONFIG.nodeId,
        closed: new AbortController().signal,
        fetchTurn: 0,
      },
      may: () => true,
      maySome: () => true,
      accepted: () => {},
      reserve: () => Promise.resolve(),
      whenSent: () => undefined,
      throttle: () => {},
    } as unknown as RequestContext;
  }

  /** `onOpen` is called when the log is open, and before anything is known of groups. */
  static async start(
    host: SimHost,
    { sizes, onOpen }: { sizes?: Partial<LogConfig>; onOpen?: (log: DiskLog) => Promise<void> } = {},
  ): Promise<BrokerProcess> {
    const config = CONFIG;
    const log = await openDiskLog({ ...LOG, ...sizes }, host);
    await onOpen?.(log);
    const groups = new GroupCoordinator(config, host, log);
    const topics = new TopicRegistry(config, log, groups);
    const shares = new ShareGroups({
      config,
      host,
      log,
      offsets: groups.topic,
      isTaken: (groupId) => groups.typeOf(groupId) !== undefined,
      groupConfigs: () => GROUP_CONFIGS,
      createTopic: (name, configs) => topics.create(name, 1, configs),
    });
    groups.register(shares);
    const producerIds = await openProducerIds(host.files, DATA_DIR);
    const features = await openFeatures(host.files, DATA_DIR);
    await groups.start();
    await shares.start();
    log.waitFor({
      positionOf: (groupId, { topic, topicId, partition }) =>
        groups.committed(groupId, topic, partition)?.offset ??
        shares.deliveries.get({ groupId, topicId, partition })?.partition.startOffset ??
        -1,
    });
    const transactions = new TransactionCoordinator(config, host, { log, groups, producerIds, features });
    await transactions.start();
    const readBuffers = new ReadBuffers();
    const broker = {
      config,
      configs: { file: config, admin: { of: () => ({}), broker: {} } },
      host,
      log,
      topics,
      groups,
      shares,
      producerIds,
      transactions,
      features,
      fetchSessions: new SessionCache(),
      readBuffers,
      readAhead: new ReadAhead(host.timers, readBuffers, host.metrics.counter('ahead', 'Reads, by outcome.')),
      fetchedBytes: host.metrics.counter('fetched', 'Bytes.'),
      stopping: new AbortController().signal,
    } as unknown as Broker;
    return new BrokerProcess(broker, log);
  }

  /** The answer as the client reads it; never, when the process dies before. */
  ask<S extends Fields, T extends Fields>(
    api: Api<S, T>,
    version: number,
    request: Encodable<S>,
  ): Promise<Decoded<T>> {
    this.onAsk(api.key);
    const handler = HANDLERS.find((one) => one.api.key === api.key)!;
    return askHandler(handler, api, request, { ...this.#context, version });
  }

  sleep(ms: number): Promise<void> {
    return this.broker.host.timers.sleep(ms);
  }

  async stop(): Promise<void> {
    const { groups, shares, transactions } = this.broker;
    groups.stop();
    shares.stop();
    transactions.stop();
    await this.log.close();
  }
}
