/**
 * Fetch (1), versions 4 to 18.
 *
 * Answers at once when a partition has an error or diverged, when `min_bytes` are there, or when nothing may be
 * waited for; else it is parked until enough has become durable or `max_wait_ms` is over. Only what is durable
 * is handed out. A fetch into the middle of a batch returns the whole batch. `max_bytes` are soft for the first
 * partition with data: it gives one batch, however large (KIP-74).
 *
 * Isolation level 1 (read_committed) ends at the last stable offset and names the aborted transactions.
 * v7 (KIP-227): sessions. v9 (KIP-320) fences leader epochs, v12 finds diverged logs, v13 names topics by id.
 * Before v10 zstd batches are refused.
 * Absent: replicas.
 */
import { answerBytes } from '../fetch/answer-bytes.ts';
import { askedPartitions } from '../fetch/asked-partition.ts';
import { beginFetch, endFetch, isKnown } from '../fetch/fetch-context.ts';
import type { Told } from '../fetch/fetch-session.ts';
import { readPartitions } from '../fetch/fetch-read.ts';
import { enoughToAnswer } from '../fetch/fetch-wait.ts';
import type { PartitionAnswer } from '../fetch/partition-answer.ts';
import { wantedPartitions } from '../fetch/wanted-partition.ts';
import { ReadLease } from '../log/segment/read-buffers.ts';
import { handler } from '../server/handler.ts';
import type { AnswerOf } from '../wire/codec.ts';
import { fetch } from '../wire/schemas/index.ts';

type TopicAnswer = AnswerOf<typeof fetch>['responses'][number];

const READ_COMMITTED = 1;
/**
 * An answer ends here, though most clients would take 50 MiB: whoever reads much decodes one answer while the next is
 * read, and less memory is borrowed until it is sent. Who waits for more gets it.
 */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export default handler({
  api: fetch,
  versions: [4, 18],
  async handle(request, context) {
    const { broker, connection, version } = context;
    const { fetchSessions, host } = broker;
    const { sessionId, sessionEpoch } = request;
    const byId = version >= 13;
    const begun = beginFetch(
      fetchSessions,
      {
        sessionId,
        sessionEpoch,
        byId,
        asked: askedPartitions(request),
        forgotten: request.forgottenTopicsData,
      },
      host.clock.monotonicMs(),
    );
    if (begun.kind === 'refused') return { errorCode: begun.errorCode, sessionId: 0, responses: [] };
    const readCommitted = request.isolationLevel === READ_COMMITTED;
    const { topicsVersion } = broker.log;
    const wanted = wantedPartitions(begun.asked, context, readCommitted);
    await enoughToAnswer(wanted, request, readCommitted, context);
    // A session has an order of its own.
    const first = begun.kind === 'incremental' ? 0 : connection.fetchTurn;
    const answerMax = Math.max(request.minBytes, ANSWER_BYTES_MAX);
    const maxBytes = Math.min(request.maxBytes, broker.config.fetchBytesMax, answerMax);
    // What is put together stays in memory until the reader has taken it.
    await context.reserve(answerBytes(wanted, maxBytes));
    const lease = new ReadLease(broker.readBuffers);
    context.whenSent(() => lease.end());
    const { answers, cut, next } = await readPartitions(
      wanted,
      {
        maxBytes,
        readCommitted,
        first,
        lease,
        readAhead: broker.readAhead,
        topicsVersion,
        isKnown: (place, log) => isKnown(begun, place, log),
      },
      context,
    );
    context.whenSent(() => broker.readAhead.begin(next));
    if (begun.kind !== 'incremental') connection.fetchTurn = cut ? (first + 1) % wanted.length : 0;
    const end = endFetch(fetchSessions, begun, byId, (place) => toldBy(answers[place]), {
      nowMs: host.clock.monotonicMs(),
      random: host.random,
    });
    const responses: TopicAnswer[] = [];
    for (let place = 0; place < answers.length; place += 1) {
      const answer = answers[place];
      if (answer && end.includes(place)) add(responses, begun.asked[place]!, answer);
    }
    return { errorCode: end.errorCode, sessionId: end.sessionId, responses };
  },
});

function toldBy(answer: PartitionAnswer | undefined): Told | undefined {
  return (
    answer && {
      errorCode: answer.errorCode,
      highWatermark: answer.highWatermark,
      logStartOffset: answer.logStartOffset ?? -1,
      hasRecords: (answer.records?.length ?? 0) > 0,
      isDiverging: answer.divergingEpoch !== undefined,
    }
  );
}

/** Neighbours of one topic share its place in the answer. */
function add(
  responses: TopicAnswer[],
  { topic, topicId }: { topic: string; topicId: string },
  answer: PartitionAnswer,
): void {
  const last = responses.at(-1);
  if (last?.topic === topic && last.topicId === topicId) (last.partitions as PartitionAnswer[]).push(answer);
  else responses.push({ topic, topicId, partitions: [answer] });
}
