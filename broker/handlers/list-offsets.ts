/**
 * ListOffsets (2), versions 0 to 11.
 *
 * v0 answers a list of offsets. v7 (KIP-734) -3: the record with the largest timestamp. v8 -4, v9 -5, v11 -6:
 * local and tiered ends of the log; nothing is tiered here. A time finds the first record at or after it, exact
 * to the record, or -1 without an error. Isolation level 1 (v2) knows nothing from the last stable offset on.
 */
import type { PartitionLog } from '../log/log.ts';
import { handler } from '../server/handler.ts';
import { codeOf } from '../server/topics.ts';
import type { AnswerOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { listOffsets } from '../wire/schemas/index.ts';
import { epochRefusal } from './leader-epoch.ts';

type PartitionAnswer = AnswerOf<typeof listOffsets>['topics'][number]['partitions'][number];
type Found = { offset: number; timestampMs: number };

const READ_COMMITTED = 1;
const LATEST = -1;
const EARLIEST = -2;
const MAX_TIMESTAMP = -3;
const EARLIEST_LOCAL = -4;
const LATEST_TIERED = -5;
const EARLIEST_PENDING_UPLOAD = -6;
/** First version that knows the special timestamp; an older request is refused as Kafka does. */
const KNOWN_FROM: Readonly<Record<number, number>> = {
  [MAX_TIMESTAMP]: 7,
  [EARLIEST_LOCAL]: 8,
  [LATEST_TIERED]: 9,
  [EARLIEST_PENDING_UPLOAD]: 11,
};

export default handler({
  api: listOffsets,
  versions: [0, 11],
  async handle(request, { broker, version, may }) {
    const readCommitted = request.isolationLevel === READ_COMMITTED;
    return {
      topics: await Promise.all(
        request.topics.map(async ({ name, partitions }) => {
          const topic = broker.log.topic(name);
          const isAllowed = may('Describe', 'Topic', name);
          return {
            name,
            partitions: await Promise.all(
              partitions.map(async ({ partitionIndex, timestamp, currentLeaderEpoch }) => {
                if (!isAllowed) return failed(partitionIndex, CODE.TOPIC_AUTHORIZATION_FAILED);
                const log = broker.topics.partition(topic, partitionIndex, false);
                if (typeof log === 'number') return failed(partitionIndex, log);
                const refusal = epochRefusal(log, currentLeaderEpoch);
                if (refusal !== undefined) return failed(partitionIndex, refusal);
                return answer(partitionIndex, log, timestamp, { version, readCommitted });
              }),
            ),
          };
        }),
      ),
    };
  },
});

async function answer(
  partitionIndex: number,
  log: PartitionLog,
  timestamp: number,
  { version, readCommitted }: { version: number; readCommitted: boolean },
): Promise<PartitionAnswer> {
  if (timestamp < EARLIEST_PENDING_UPLOAD || version < (KNOWN_FROM[timestamp] ?? 0)) {
    return failed(partitionIndex, CODE.UNSUPPORTED_VERSION);
  }
  try {
    const found = await find(log, timestamp, readCommitted);
    return {
      partitionIndex,
      errorCode: CODE.NONE,
      oldStyleOffsets: found ? [found.offset] : [],
      timestamp: found?.timestampMs ?? -1,
      offset: found?.offset ?? -1,
      leaderEpoch: found ? log.leaderEpoch : -1,
    };
  } catch (error) {
    return failed(partitionIndex, codeOf(error));
  }
}

async function find(
  log: PartitionLog,
  timestamp: number,
  readCommitted: boolean,
): Promise<Found | undefined> {
  const end = readCommitted ? log.lastStableOffset : log.highWatermark;
  switch (timestamp) {
    case LATEST:
      return { offset: end, timestampMs: -1 };
    case EARLIEST:
    case EARLIEST_LOCAL:
      return { offset: log.startOffset, timestampMs: -1 };
    case MAX_TIMESTAMP:
      return below(end, await log.maxTimestamp());
    case LATEST_TIERED:
    case EARLIEST_PENDING_UPLOAD:
      return undefined;
    default:
      return below(end, await log.offsetForTimestamp(timestamp));
  }
}

/** What the reader could not fetch is not found, as Kafka has it: no second look for an earlier record. */
function below(end: number, found: Found | undefined): Found | undefined {
  return found && found.offset < end ? found : undefined;
}

function failed(partitionIndex: number, errorCode: number): PartitionAnswer {
  return { partitionIndex, errorCode, oldStyleOffsets: [] };
}
