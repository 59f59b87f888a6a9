/**
 * Fetch (1), versions 4 to 18.
 *
 * Answers at once when a partition has an error or diverged, when `min_bytes` are there, or when nothing may be
 * waited for; else it is parked until enough has become durable or `max_wait_ms` is over. Only what is durable
 * is handed out. A fetch into the middle of a batch returns the whole batch. `max_bytes` are soft for the first
 * partition with data: it gives one batch, however large (KIP-74).
 *
 * v7 (KIP-227): no session is ever given (`session_id` 0), which sends every client back to full fetches.
 * v9 (KIP-320) fences leader epochs, v12 finds diverged logs, v13 names topics by id. Before v10 zstd batches
 * are refused.
 * Absent: transactions (the last stable offset is the high watermark), replicas, sessions.
 */
import { attributesOf, batchSizeOf } from '../log/batch-header.ts';
import type { PartitionLog } from '../log/log.ts';
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import { codeOf } from '../server/topics.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { fetch } from '../wire/schemas/index.ts';
import { epochRefusal } from './leader-epoch.ts';

type Request = RequestOf<typeof fetch>;
type PartitionAnswer = AnswerOf<typeof fetch>['responses'][number]['partitions'][number];

const ZSTD = 4;
const NOTHING = Buffer.alloc(0);
/** An answer is parked no longer, whatever the client asks: its connection would be blocked. */
const WAIT_MAX_MS = 30 * 60 * 1000;

/** One partition of the request. */
interface Wanted {
  readonly index: number;
  readonly offset: number;
  readonly maxBytes: number;
  readonly log: PartitionLog | undefined;
  /** An error, or an answer that needs no data. */
  readonly settled: PartitionAnswer | undefined;
}

export default handler({
  api: fetch,
  versions: [4, 18],
  async handle(request, context) {
    const { broker, version } = context;
    if (request.sessionId !== 0 && request.sessionEpoch > 0) {
      return { errorCode: CODE.FETCH_SESSION_ID_NOT_FOUND, sessionId: 0, responses: [] };
    }
    const topics = request.topics.map(({ topic: name, topicId, partitions }) => {
      const topic = broker.topics.find(name, topicId, version >= 13);
      return {
        name,
        topicId,
        wanted: partitions.map((partition) =>
          wantedOf(
            partition,
            (topic || version < 13) && !context.may('Read', 'Topic', topic?.name ?? name)
              ? CODE.TOPIC_AUTHORIZATION_FAILED
              : broker.topics.partition(topic, partition.partition, version >= 13),
          ),
        ),
      };
    });
    const all = topics.flatMap(({ wanted }) => wanted);
    await enough(all, request, context);
    const answers = await fill(all, request, context);
    return {
      errorCode: CODE.NONE,
      sessionId: 0,
      responses: topics.map(({ name, topicId, wanted }) => ({
        topic: name,
        topicId,
        partitions: wanted.map((one) => answers.get(one)!),
      })),
    };
  },
});

function wantedOf(
  asked: Request['topics'][number]['partitions'][number],
  found: PartitionLog | number,
): Wanted {
  const base = { index: asked.partition, offset: asked.fetchOffset, maxBytes: asked.partitionMaxBytes };
  if (typeof found === 'number') {
    return { ...base, log: undefined, settled: failed(asked.partition, found) };
  }
  const refusal = epochRefusal(found, asked.currentLeaderEpoch);
  if (refusal !== undefined) return { ...base, log: found, settled: failed(asked.partition, refusal) };
  if (asked.fetchOffset < found.startOffset || asked.fetchOffset > found.endOffset) {
    return { ...base, log: found, settled: failed(asked.partition, CODE.OFFSET_OUT_OF_RANGE) };
  }
  return { ...base, log: found, settled: divergence(asked, found) };
}

/** KIP-320: the client's last epoch ended elsewhere in this log; it must truncate to where that was. */
function divergence(
  asked: Request['topics'][number]['partitions'][number],
  log: PartitionLog,
): PartitionAnswer | undefined {
  if (asked.lastFetchedEpoch < 0) return undefined;
  const { epoch, endOffset } = log.endOffsetForEpoch(asked.lastFetchedEpoch);
  if (endOffset === -1) return failed(asked.partition, CODE.OFFSET_OUT_OF_RANGE);
  if (epoch >= asked.lastFetchedEpoch && endOffset >= asked.fetchOffset) return undefined;
  return { ...answered(asked.partition, log, NOTHING), divergingEpoch: { epoch, endOffset } };
}

/** Resolves when there is reason to answer. */
async function enough(all: readonly Wanted[], request: Request, context: RequestContext): Promise<void> {
  const { clock } = context.broker.host;
  const waitMs = Math.min(request.maxWaitMs, WAIT_MAX_MS);
  if (waitMs <= 0 || all.length === 0 || all.some(({ settled }) => settled)) return;
  const untilMs = clock.monotonicMs() + waitMs;
  while (!hasBytes(all, request.minBytes)) {
    const leftMs = untilMs - clock.monotonicMs();
    if (leftMs <= 0 || context.connection.closed.aborted || context.broker.stopping.aborted) return;
    const deleted = await advanced(all, leftMs, context);
    if (deleted) return;
  }
}

function hasBytes(all: readonly Wanted[], minBytes: number): boolean {
  if (minBytes <= 0) return true;
  let bytes = 0;
  for (const { log, offset } of all) {
    bytes += log!.availableBytes(offset, minBytes - bytes);
    if (bytes >= minBytes) return true;
  }
  return false;
}

/** Waits for any of the partitions, or the time, or the end; true when a partition is gone. */
function advanced(all: readonly Wanted[], leftMs: number, context: RequestContext): Promise<boolean> {
  const { broker, connection } = context;
  return new Promise((resolve) => {
    const done = (): void => {
      for (const cancel of cancels) cancel();
      connection.closed.removeEventListener('abort', done);
      broker.stopping.removeEventListener('abort', done);
      resolve(all.some(({ log }) => isGone(log!, broker)));
    };
    const cancels = all.map(({ log }) => log!.onAdvance(done));
    cancels.push(broker.host.timers.after(Math.ceil(leftMs), done));
    connection.closed.addEventListener('abort', done);
    broker.stopping.addEventListener('abort', done);
  });
}

/** Reads what fits, beginning with another partition after every answer that something did not fit into. */
async function fill(
  all: readonly Wanted[],
  request: Request,
  context: RequestContext,
): Promise<Map<Wanted, PartitionAnswer>> {
  const { broker, connection, version } = context;
  const answers = new Map<Wanted, PartitionAnswer>();
  let left = Math.min(request.maxBytes, broker.config.fetchBytesMax);
  let isFirst = true;
  let cut = false;
  for (let i = 0; i < all.length; i += 1) {
    const wanted = all[(i + connection.fetchTurn) % all.length]!;
    const { log, index, settled } = wanted;
    if (settled || !log) {
      answers.set(wanted, settled ?? failed(index, CODE.UNKNOWN_TOPIC_OR_PARTITION));
      continue;
    }
    if (isGone(log, broker)) {
      const code = version >= 13 ? CODE.UNKNOWN_TOPIC_ID : CODE.UNKNOWN_TOPIC_OR_PARTITION;
      answers.set(wanted, failed(index, code));
      continue;
    }
    const answer = await read(wanted, log, Math.min(wanted.maxBytes, left), isFirst, version);
    const bytes = answer.records?.length ?? 0;
    if (bytes > 0) {
      isFirst = false;
      left = Math.max(0, left - bytes);
      broker.fetchedBytes.add(bytes, { topic: log.topic });
    } else if (wanted.offset < log.highWatermark) {
      cut = true;
    }
    answers.set(wanted, answer);
  }
  connection.fetchTurn = cut ? (connection.fetchTurn + 1) % all.length : 0;
  return answers;
}

async function read(
  { index, offset }: Wanted,
  log: PartitionLog,
  maxBytes: number,
  minOneBatch: boolean,
  version: number,
): Promise<PartitionAnswer> {
  if (offset >= log.highWatermark || (maxBytes <= 0 && !minOneBatch)) return answered(index, log, NOTHING);
  try {
    const records = await log.read(offset, Math.max(0, maxBytes), minOneBatch);
    if (version < 10 && hasZstd(records)) return failed(index, CODE.UNSUPPORTED_COMPRESSION_TYPE);
    return answered(index, log, records);
  } catch (error) {
    return failed(index, codeOf(error));
  }
}

/** Deleted while the request was parked, perhaps made again under the same name. */
function isGone(log: PartitionLog, broker: RequestContext['broker']): boolean {
  return broker.log.topic(log.topic)?.partitions[log.partition] !== log;
}

function hasZstd(records: Buffer): boolean {
  for (let at = 0; at + 23 <= records.length; at += batchSizeOf(records, at)) {
    if ((attributesOf(records, at) & 7) === ZSTD) return true;
  }
  return false;
}

function answered(index: number, log: PartitionLog, records: Buffer): PartitionAnswer {
  return {
    partitionIndex: index,
    errorCode: CODE.NONE,
    highWatermark: log.highWatermark,
    lastStableOffset: log.highWatermark,
    logStartOffset: log.startOffset,
    abortedTransactions: null,
    records,
  };
}

function failed(index: number, errorCode: number): PartitionAnswer {
  return {
    partitionIndex: index,
    errorCode,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    abortedTransactions: null,
    // Empty, not null: clients do not expect null here.
    records: NOTHING,
  };
}
