import { type BrokerConfig } from './config.ts';
import { liveConfig, openAdminConfigs } from './configs/admin-configs.ts';
import { followTopicDefaults } from './configs/topic-defaults.ts';
import { reportFetchSessions } from './fetch/session-metrics.ts';
import { SESSION_BOUNDS, SessionCache } from './fetch/session-cache.ts';
import { GroupCoordinator } from './groups/coordinator.ts';
import { apiRows, servedHandlers } from './handlers/index.ts';
import type { Host } from './host/host.ts';
import type { Part } from './host/part.ts';
import { type NodeControl, Nodes } from './nodes/nodes.ts';
import { openLog } from './log/open-log.ts';
import { ReadAhead } from './fetch/read-ahead.ts';
import { ReadBuffers } from './log/segment/read-buffers.ts';
import { watchReaders } from './readers/reader-metrics.ts';
import { openSecurity, type Security } from './security/security.ts';
import { ClientQuotas } from './quotas/client-quotas.ts';
import { QuotaCharges } from './quotas/quota-charges.ts';
import type { Broker } from './server/broker.ts';
import { dispatcher } from './server/dispatch.ts';
import type { Intercept } from './server/handler.ts';
import { openFeatures } from './server/features.ts';
import { ShareGroups } from './share/share-groups.ts';
import { Server } from './server/server.ts';
import { TopicRegistry } from './server/topics.ts';
import { TransactionCoordinator } from './transactions/coordinator.ts';
import { Telemetry } from './telemetry/telemetry.ts';
import { openProducerIds } from './transactions/producer-ids.ts';

/** What is kept of a deadline for the log to make everything durable. */
const LOG_CLOSE_MS = 1_000;

export interface BrokerPart extends Part {
  /** Stops and starts single nodes, where `virtualNodes` are played. */
  readonly nodes: NodeControl;
}

/**
 * Starts the broker: opens the log, replays the groups, then listens.
 * @throws Error when the directory or the port cannot be had
 */
export async function start(
  file: BrokerConfig,
  host: Host,
  options: { readonly intercept?: Intercept } = {},
): Promise<BrokerPart> {
  const log = await openLog(
    {
      dataDir: file.dataDir,
      diskBytesMax: file.diskBytesMax,
      retentionMs: file.retentionMs,
      retentionBytes: file.retentionBytes,
      segmentBytes: file.segmentBytes,
      walFileBytes: file.walFileBytes,
      retentionCheckMs: file.logRetentionCheckIntervalMs,
      cleanerCheckMs: file.logCleanerBackoffMs,
      maxMessageBytes: file.messageBytesMax,
    },
    host,
  );
  const admin = await openAdminConfigs(host.files, file).catch(async (error: unknown) => {
    await log.close();
    throw error;
  });
  const config = liveConfig(file, admin);
  followTopicDefaults(log, admin);
  const groups = new GroupCoordinator(config, host, log);
  let security: Security | undefined;
  const topics = new TopicRegistry(config, log, groups);
  const shares = new ShareGroups({
    config,
    host,
    log,
    offsets: groups.topic,
    isTaken: (groupId) => groups.typeOf(groupId) !== undefined,
    groupConfigs: (groupId) => admin.of('groups', groupId),
    createTopic: (name, configs) => topics.create(name, config.numPartitions, configs),
  });
  groups.overrides = (groupId) => admin.of('groups', groupId);
  groups.register(shares);
  let transactions: TransactionCoordinator | undefined;
  try {
    security = await openSecurity(config, host);
    const producerIds = await openProducerIds(host.files, config.dataDir);
    const quotas = await ClientQuotas.open(host.files, config.dataDir);
    const features = await openFeatures(host.files, config.dataDir);
    await groups.start();
    await shares.start();
    log.waitFor({
      positionOf: (groupId, { topic, topicId, partition }) =>
        groups.committed(groupId, topic, partition)?.offset ??
        shares.deliveries.get({ groupId, topicId, partition })?.partition.startOffset ??
        -1,
    });
    transactions = new TransactionCoordinator(config, host, { log, groups, producerIds, features });
    await transactions.start();
    const stopping = new AbortController();
    const { metrics } = host;
    const fetchSessions = new SessionCache({ ...SESSION_BOUNDS, slotsMax: config.fetchSessionsMax });
    reportFetchSessions(metrics, fetchSessions);
    const handlers = servedHandlers(config);
    const readBuffers = new ReadBuffers();
    const readAhead = new ReadAhead(
      host.timers,
      readBuffers,
      metrics.counter('millrace_broker_reads_ahead_total', 'Reads ahead of a reader, by whether it came.'),
    );
    const broker: Broker = {
      config,
      configs: { file, admin },
      host,
      log,
      topics,
      groups,
      shares,
      producerIds,
      quotas,
      transactions,
      features,
      telemetry: new Telemetry((name, help) => metrics.counter(name, help)),
      authorizer: security.authorizer,
      security,
      apis: apiRows(handlers),
      fetchedBytes: metrics.counter('kafka_topic_fetched_bytes_total', 'Bytes of batches handed to readers.'),
      fetchSessions,
      readBuffers,
      readAhead,
      stopping: stopping.signal,
    };
    const requests = metrics.counter('millrace_broker_requests_total', 'Requests served, by API.');
    const nodes = new Nodes(config.nodeId, config.virtualNodes);
    const dispatch = dispatcher(handlers, broker, {
      intercept: options.intercept,
      nodes,
      charges: new QuotaCharges(quotas, host.clock, metrics),
      onRequest: (api) => requests.add(1, { api }),
    });
    const server = new Server(config, host, nodes, dispatch, security, (address) =>
      quotas.connectionRate(address),
    );
    const listening = await server.start();
    const [address] = listening.values();
    const stopMeasuring = watchReaders(host, log, { groups, shares });
    host.log.info({ ...address, dataDir: config.dataDir }, 'broker is ready');
    const others = [...listening].slice(1).map(([name, at]) => [`kafka.${name}`, at] as const);

    const opened = security;
    const stop = async (deadlineMs: number): Promise<void> => {
      stopMeasuring();
      stopping.abort();
      groups.stop();
      opened.stop();
      shares.stop();
      broker.transactions.stop();
      await server.stop(Math.max(0, deadlineMs - LOG_CLOSE_MS));
      readAhead.stop();
      await log.close();
    };
    let stopped: Promise<void> | undefined;
    return {
      addresses: { kafka: address!, ...Object.fromEntries(others) },
      nodes: {
        stop: (nodeId) => server.stopNode(nodeId),
        start: (nodeId) => server.startNode(nodeId),
      },
      stop: (deadlineMs) =>
        (stopped ??= stop(deadlineMs).catch((error: unknown) => {
          host.log.error({ err: error }, 'cannot stop the broker in order');
        })),
    };
  } catch (error) {
    security?.stop();
    groups.stop();
    shares.stop();
    transactions?.stop();
    await log.close();
    throw error;
  }
}
