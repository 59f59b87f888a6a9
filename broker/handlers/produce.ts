/**
 * Produce (0), versions 3 to 13; advertised from 0.
 *
 * Kafka 4 advertises 0 too and refuses 0 to 2: librdkafka takes compression to be supported only where the
 * range contains 0, and would send its batches uncompressed. v7 allows zstd. v8 (KIP-467) explains refusals, record by record.
 * v13 names topics by id.
 *
 * acks=1 is served as acks=all: the answer follows the fdatasync. acks=0 gets no answer; what goes wrong there
 * closes the connection, so that the client asks for metadata again. Each partition is judged alone.
 * A batch of a transaction is taken where the coordinator knows that its producer writes there: v3 to v11 ask it, v12
 * (KIP-890) adds the partitions in the same turn, so that neither can be durable without the other. v11 knows
 * TRANSACTION_ABORTABLE.
 */
import { attributesOf, BATCH_HEADER_BYTES, batchSizeOf } from '../log/batch/batch-header.ts';
import { LogError } from '../log/errors.ts';
import type { Appended } from '../log/log.ts';
import type { RequestContext } from '../server/broker.ts';
import { CloseConnection, handler, NO_ANSWER } from '../server/handler.ts';
import { topicNameProblem } from '../server/topics.ts';
import type { AnswerOf, RequestOf } from '../wire/codec.ts';
import { CODE, errorName, type ErrorName } from '../wire/errors.ts';
import { produce } from '../wire/schemas/index.ts';
import { ProducedTransaction } from './produced-transaction.ts';

type Request = RequestOf<typeof produce>;
type PartitionAnswer = AnswerOf<typeof produce>['responses'][number]['partitionResponses'][number];

const ZSTD = 4;
/** Then the log says itself why it takes no more. */
const ROOM_WAIT_MAX_MS = 10_000;
/** Client id of Kafka's own tools, which may write to internal topics. */
const ADMIN_CLIENT_ID = '__admin_client';

/** Why a partition's data is not taken. */
class Refusal extends Error {
  readonly code: number;

  constructor(name: ErrorName, message: string) {
    super(message);
    this.code = CODE[name];
  }
}

export default handler({
  api: produce,
  versions: [3, 13],
  advertised: [0, 13],
  async handle(request, context) {
    const { acks } = request;
    const refusal =
      acks >= -1 && acks <= 1
        ? undefined
        : new Refusal('INVALID_REQUIRED_ACKS', `cannot produce: got acks ${acks}, want -1, 0 or 1`);
    await room(context, request.timeoutMs);
    // All appends happen in this turn; only then anything is waited for.
    const transaction = new ProducedTransaction(request, context);
    const responses = request.topicData.map(({ name, topicId, partitionData }) => ({
      name,
      topicId,
      partitions: partitionData.map(({ index, records }) => ({
        index,
        outcome: refusal ?? append({ name, topicId, index, records }, transaction, context),
      })),
    }));
    context.accepted();
    if (acks === 0) {
      for (const { name, partitions } of responses) {
        for (const { index, outcome } of partitions) closeOnFailure(name, index, outcome);
      }
      return NO_ANSWER;
    }
    const added = await transaction.added;
    return {
      responses: await Promise.all(
        responses.map(async ({ name, topicId, partitions }) => ({
          name,
          topicId,
          partitionResponses: await Promise.all(
            partitions.map(({ index, outcome }) => settle(index, outcome, added)),
          ),
        })),
      ),
    };
  },
});

/** While the disk is behind, requests wait outside of the log instead of being refused by it. */
async function room({ broker, connection }: RequestContext, timeoutMs: number): Promise<void> {
  const writable = broker.log.whenWritable();
  if (!writable || connection.closed.aborted) return;
  const waited = new AbortController();
  const patience = broker.host.timers.sleep(Math.min(timeoutMs, ROOM_WAIT_MAX_MS), waited.signal);
  await Promise.race([writable, patience]);
  waited.abort();
}

interface Target {
  readonly name: string;
  readonly topicId: string;
  readonly index: number;
  readonly records: Request['topicData'][number]['partitionData'][number]['records'];
}

function append(
  target: Target,
  transaction: ProducedTransaction,
  { broker, version, clientId, may }: RequestContext,
): Appended | Refusal | LogError {
  const { name, topicId, index, records } = target;
  const byId = version >= 13;
  const topic = broker.topics.find(name, topicId, byId);
  // Before it is said whether the topic exists; an id tells nothing that its finder did not know.
  if ((topic || !byId) && !may('Write', 'Topic', topic?.name ?? name)) {
    return new Refusal('TOPIC_AUTHORIZATION_FAILED', 'cannot produce: not allowed to write to this topic');
  }
  if (!topic && !byId) {
    const problem = topicNameProblem(name);
    if (problem !== undefined) return new Refusal('INVALID_TOPIC_EXCEPTION', problem);
  }
  const partition = broker.topics.partition(topic, index, byId);
  if (typeof partition === 'number') {
    return new Refusal(errorName(partition), `cannot produce to partition ${index}: there is none`);
  }
  if (topic?.internal && clientId !== ADMIN_CLIENT_ID) {
    return new Refusal('INVALID_TOPIC_EXCEPTION', `cannot produce to ${topic.name}: it is internal`);
  }
  const problem = oneBatchProblem(records, version);
  if (problem) return problem;
  const refused = transaction.refusal(records!, partition);
  if (refused !== CODE.NONE) {
    return new Refusal(
      errorName(refused),
      `cannot produce to ${partition.topic}-${index} in this transaction`,
    );
  }
  const transactionVersion = transaction.versionOf(records!);
  try {
    return partition.append(records!, {
      nowMs: broker.host.clock.nowMs(),
      origin: 'client',
      transactionVersion,
    });
  } catch (error) {
    if (error instanceof LogError) return error;
    throw error;
  }
}

/** v3+ carries exactly one batch a partition. */
function oneBatchProblem(records: Buffer | null, version: number): Refusal | undefined {
  if (records === null || records.length === 0) {
    return new Refusal('INVALID_RECORD', 'cannot produce: got no batch, want one');
  }
  // The log refuses what is shorter than a header or than it says.
  if (records.length < BATCH_HEADER_BYTES) return undefined;
  if (batchSizeOf(records) > 0 && batchSizeOf(records) < records.length) {
    return new Refusal('INVALID_RECORD', 'cannot produce: got more than one batch, want one');
  }
  if (version < 7 && (attributesOf(records) & 7) === ZSTD) {
    return new Refusal(
      'UNSUPPORTED_COMPRESSION_TYPE',
      `cannot produce: got zstd in version ${version}, want 7`,
    );
  }
  return undefined;
}

/** `added` is the code of the partitions that joined the transaction: 0 where none had to. */
async function settle(
  index: number,
  outcome: Appended | Refusal | LogError,
  added: number,
): Promise<PartitionAnswer> {
  if (outcome instanceof Error) return refused(index, outcome);
  try {
    await outcome.durable;
  } catch (error) {
    if (error instanceof LogError) return refused(index, error);
    throw error;
  }
  if (added !== CODE.NONE) {
    return refused(index, new Refusal(errorName(added), 'cannot produce: the transaction was not stored'));
  }
  return {
    index,
    errorCode: CODE.NONE,
    baseOffset: outcome.baseOffset,
    logAppendTimeMs: outcome.logAppendTimeMs,
    logStartOffset: outcome.startOffset,
    recordErrors: [],
    errorMessage: null,
  };
}

function refused(index: number, error: Refusal | LogError): PartitionAnswer {
  const errorCode = error instanceof LogError ? CODE[error.code] : error.code;
  const recordErrors = (error instanceof LogError ? error.recordErrors : []).map((one) => ({
    batchIndex: one.batchIndex,
    batchIndexErrorMessage: one.message,
  }));
  return { index, errorCode, baseOffset: -1, recordErrors, errorMessage: error.message };
}

function closeOnFailure(name: string, index: number, outcome: Appended | Refusal | LogError): void {
  if (outcome instanceof Error) {
    throw new CloseConnection(`produce with acks=0 to ${name}-${index} failed: ${outcome.message}`);
  }
  // Nobody waits for it; the log has counted and said what its disk does.
  outcome.durable.catch(() => {});
}
