/**
 * ShareFetch (78), versions 1 and 2 (KIP-932): acknowledges, then locks records for the member and sends them. The
 * partitions are those of the share session, which epoch 0 opens, every further request extends or cuts, and -1
 * closes. Waits like Fetch until there is something; records that are given back, and locks that end, count too.
 *
 * `max_records` and `batch_size` speak of whole batches of the log. v2: `share_acquire_mode` 1 (KIP-1206) never sends
 * more than `max_records`; `is_renew_ack` (KIP-1222) renews locks and fetches nothing.
 *
 * Deviations: no session is opened for a group that never had a member (GROUP_ID_NOT_FOUND), so that state is kept for real groups only; one
 * answer has at most 1 MiB a partition, or one batch.
 */
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import { codeOf } from '../server/topics.ts';
import {
  type Acknowledged,
  acknowledgeAll,
  byTopic,
  hasAcknowledgements,
  partitionsOf,
} from '../share/acknowledgements.ts';
import type { Delivery } from '../share/delivery.ts';
import type { AcquiredRange } from '../share/acquire.ts';
import {
  answeredSession,
  CLOSE_EPOCH,
  nextSession,
  OPEN_EPOCH,
  type SessionPartition,
  sessionPartitionKey,
  type ShareSession,
} from '../share/share-session.ts';
import { somethingNew } from '../share/waiting.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { shareFetch } from '../wire/schemas/index.ts';

type Request = RequestOf<typeof shareFetch>;
type Answer = AnswerOf<typeof shareFetch>;
type PartitionAnswer = Answer['responses'][number]['partitions'][number];

const NOTHING = Buffer.alloc(0);
const RECORD_LIMIT = 1;
/** An answer is parked no longer, whatever the client asks: its connection would be blocked. */
const WAIT_MAX_MS = 30 * 60 * 1000;

/** One partition of the session, with what the answer will say. */
interface Target {
  readonly place: SessionPartition;
  readonly delivery: Delivery | undefined;
  errorCode: number;
  records: Buffer;
  acquired: readonly AcquiredRange[];
}

export default handler({
  api: shareFetch,
  versions: [1, 2],
  async handle(request, context) {
    const { groupId, memberId } = request;
    const { connection } = context;
    const { shares } = context.broker;
    if (!memberId || groupId === null) return refused(CODE.INVALID_REQUEST);
    if (!context.may('Read', 'Group', groupId)) return refused(CODE.GROUP_AUTHORIZATION_FAILED);
    if (!shares.has(groupId)) {
      const isOpening = request.shareSessionEpoch === OPEN_EPOCH;
      return refused(isOpening ? CODE.GROUP_ID_NOT_FOUND : CODE.SHARE_SESSION_NOT_FOUND);
    }
    const session = await sessionFor(request, groupId, memberId, context);
    if (typeof session === 'number') return refused(session);
    const isRenewAck = context.version >= 2 && request.isRenewAck;
    const acknowledged = await acknowledgeAll(request.topics, { groupId, memberId, isRenewAck }, context);
    const isLast = request.shareSessionEpoch === CLOSE_EPOCH;
    if (isLast) await shares.closeSession(groupId, memberId, connection.nodeId);
    const fetches = !isLast && !isRenewAck && request.maxRecords > 0;
    const targets = fetches ? await targetsOf(session, groupId, context) : [];
    if (fetches) await fill(targets, request, memberId, session, context);
    // Its locks ended with the connection, before these began.
    if (connection.closed.aborted) await shares.closeSession(groupId, memberId, connection.nodeId);
    const answer = answerOf(targets, acknowledged, session);
    if (fetches && shares.sessions.get(groupId, memberId, connection.nodeId) === session) {
      const failed = targets.filter(({ errorCode }) => errorCode !== CODE.NONE);
      const keys = new Set(failed.map(({ place }) => sessionPartitionKey(place)));
      shares.sessions.replace(answeredSession(session, keys), connection.nodeId);
    }
    return {
      errorCode: CODE.NONE,
      acquisitionLockTimeoutMs: shares.deliveries.settings(groupId).lockDurationMs,
      responses: answer,
      nodeEndpoints: [],
    };
  },
});

/** The session as this request leaves it, or why the request is refused. */
async function sessionFor(
  request: Request,
  groupId: string,
  memberId: string,
  { broker, connection }: RequestContext,
): Promise<ShareSession | number> {
  const { sessions } = broker.shares;
  const { shareSessionEpoch: epoch, topics } = request;
  const forgotten = request.forgottenTopicsData.flatMap(({ topicId, partitions }) =>
    partitions.map((partition) => ({ topicId, partition })),
  );
  if (epoch === OPEN_EPOCH) {
    if (hasAcknowledgements(topics)) return CODE.INVALID_REQUEST;
    if (sessions.get(groupId, memberId, connection.nodeId))
      await broker.shares.closeSession(groupId, memberId, connection.nodeId);
    if (connection.closed.aborted) return CODE.SHARE_SESSION_NOT_FOUND;
    if (sessions.isNew(connection)) {
      connection.closed.addEventListener('abort', () => broker.shares.onConnectionClosed(connection));
    }
    return sessions.open(groupId, memberId, partitionsOf(topics), connection);
  }
  const onlyAcknowledges = topics.every(({ partitions }) =>
    partitions.every(({ acknowledgementBatches }) => acknowledgementBatches.length > 0),
  );
  if (epoch === CLOSE_EPOCH && (forgotten.length > 0 || !onlyAcknowledges)) return CODE.INVALID_REQUEST;
  const known = sessions.get(groupId, memberId, connection.nodeId);
  const next = nextSession(known, epoch, partitionsOf(topics), forgotten);
  if (typeof next !== 'number') sessions.replace(next, connection.nodeId);
  return next;
}

function targetsOf(session: ShareSession, groupId: string, context: RequestContext): Promise<Target[]> {
  return Promise.all(
    [...session.partitions.values()].map(async ({ partition: place }) => {
      const found = await deliveryAt(place, groupId, context);
      const delivery = typeof found === 'number' ? undefined : found;
      const errorCode = typeof found === 'number' ? found : CODE.NONE;
      return { place, delivery, errorCode, records: NOTHING, acquired: [] };
    }),
  );
}

async function deliveryAt(
  { topicId, partition }: SessionPartition,
  groupId: string,
  context: RequestContext,
): Promise<Delivery | number> {
  const { broker } = context;
  const topic = broker.log.topicById(topicId);
  if (!topic) return CODE.UNKNOWN_TOPIC_ID;
  if (!context.may('Read', 'Topic', topic.name)) return CODE.TOPIC_AUTHORIZATION_FAILED;
  const log = topic.partitions[partition];
  if (!log) return CODE.UNKNOWN_TOPIC_OR_PARTITION;
  try {
    return await broker.shares.deliveries.open({ groupId, topicId, partition }, log);
  } catch (error) {
    return codeOf(error);
  }
}

/** Acquires what there is; waits as long as there is nothing, and no error to tell. */
async function fill(
  targets: readonly Target[],
  request: Request,
  memberId: string,
  session: ShareSession,
  context: RequestContext,
): Promise<void> {
  const { broker, connection } = context;
  const { clock } = broker.host;
  const untilMs = clock.monotonicMs() + Math.min(request.maxWaitMs, WAIT_MAX_MS);
  const live = targets.filter(({ delivery }) => delivery !== undefined);
  for (;;) {
    const leftMs = untilMs - clock.monotonicMs();
    const isOver = leftMs <= 0 || connection.closed.aborted || broker.stopping.aborted;
    if (connection.closed.aborted) return;
    if (isOver || hasBytes(live, request.minBytes, broker)) {
      await acquire(live, request, memberId, session, context);
    }
    const isAnswer = targets.some(
      ({ acquired, errorCode }) => acquired.length > 0 || errorCode !== CODE.NONE,
    );
    if (isOver || isAnswer || live.length === 0) return;
    await somethingNew(
      live.map(({ delivery }) => delivery!),
      leftMs,
      context,
    );
  }
}

function hasBytes(live: readonly Target[], minBytes: number, broker: RequestContext['broker']): boolean {
  const wanted = Math.max(1, minBytes);
  return availableBytes(live, wanted, broker) >= wanted;
}

/** What could be sent, counted until it is enough. */
function availableBytes(
  live: readonly Target[],
  enough: number,
  { shares }: RequestContext['broker'],
): number {
  let bytes = 0;
  for (const { delivery } of live) {
    if (bytes >= enough) return bytes;
    bytes += shares.deliveries.availableBytes(delivery!, enough - bytes);
  }
  return bytes;
}

/** Begins with another partition every time, so that none starves behind the others. */
async function acquire(
  live: readonly Target[],
  request: Request,
  memberId: string,
  session: ShareSession,
  { broker, version, reserve }: RequestContext,
): Promise<void> {
  let recordsLeft = request.maxRecords;
  let bytesLeft = Math.min(request.maxBytes, broker.config.fetchBytesMax);
  let isFirst = true;
  // What is put together stays in memory until the reader has taken it.
  await reserve(Math.max(0, availableBytes(live, bytesLeft, broker)));
  for (let i = 0; i < live.length && recordsLeft > 0; i += 1) {
    const target = live[(i + session.epoch) % live.length]!;
    if (bytesLeft <= 0 && !isFirst) return;
    try {
      const { records, acquired } = await broker.shares.deliveries.fetch(target.delivery!, {
        memberId,
        recordsMax: recordsLeft,
        batchSize: request.batchSize,
        isStrict: version >= 2 && request.shareAcquireMode === RECORD_LIMIT,
        bytesMax: Math.max(0, bytesLeft),
        minOneBatch: isFirst,
      });
      if (acquired.length === 0) continue;
      target.records = records;
      target.acquired = acquired;
      isFirst = false;
      bytesLeft -= records.length;
      broker.fetchedBytes.add(records.length, { topic: target.delivery!.log.topic });
      for (const { first, last } of acquired) recordsLeft -= last - first + 1;
    } catch (error) {
      target.errorCode = codeOf(error);
    }
  }
}

/** What has news, or was acknowledged, or is new in the session. */
function answerOf(
  targets: readonly Target[],
  acknowledged: readonly Acknowledged[],
  session: ShareSession,
): Answer['responses'] {
  const answers = new Map<string, { topicId: string; answer: PartitionAnswer }>();
  for (const target of targets) {
    const key = sessionPartitionKey(target.place);
    const isDue = session.partitions.get(key)?.isDue === true;
    if (!isDue && target.acquired.length === 0 && target.errorCode === CODE.NONE) continue;
    answers.set(key, {
      topicId: target.place.topicId,
      answer: partitionAnswer(target.place.partition, target),
    });
  }
  for (const { topicId, partition, errorCode } of acknowledged) {
    const key = sessionPartitionKey({ topicId, partition });
    const known = answers.get(key)?.answer ?? partitionAnswer(partition, undefined);
    answers.set(key, { topicId, answer: { ...known, acknowledgeErrorCode: errorCode } });
  }
  return byTopic([...answers.values()], ({ topicId }) => topicId).map(({ topicId, items }) => ({
    topicId,
    partitions: items.map(({ answer }) => answer),
  }));
}

function partitionAnswer(partitionIndex: number, target: Target | undefined): PartitionAnswer {
  return {
    partitionIndex,
    errorCode: target?.errorCode ?? CODE.NONE,
    acknowledgeErrorCode: CODE.NONE,
    currentLeader: { leaderId: 0, leaderEpoch: 0 },
    // Empty, not null: clients do not expect null here.
    records: target?.records ?? NOTHING,
    acquiredRecords: (target?.acquired ?? []).map(({ first, last, deliveryCount }) => ({
      firstOffset: first,
      lastOffset: last,
      deliveryCount,
    })),
  };
}

function refused(errorCode: number): Answer {
  return { errorCode, acquisitionLockTimeoutMs: 0, responses: [], nodeEndpoints: [] };
}
