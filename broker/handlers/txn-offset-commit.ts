/**
 * TxnOffsetCommit (28), versions 0 to 6: positions that count when the transaction is committed. Until then OffsetFetch
 * with `require_stable` is told to wait.
 *
 * v3 (KIP-447) names member and generation, which must be those of the group. v5 (KIP-890) adds the group's partition
 * to the transaction by itself. Before, it must have been added (AddOffsetsToTxn) by the producer of the request;
 * that the transactional id is that producer's is not asked, as in Kafka before 4. Positions of a producer that has
 * no transaction at all, for which no commit can ever come, are answered like others and counted, not kept. v6 names
 * topics by id.
 */
import type { RequestContext } from '../server/broker.ts';
import { handler } from '../server/handler.ts';
import { codeOf } from '../server/topics.ts';
import { offsetsPlace } from '../transactions/coordinator.ts';
import type { RequestOf } from '../wire/codec.ts';
import { CODE } from '../wire/errors.ts';
import { txnOffsetCommit } from '../wire/schemas/index.ts';
import { judgeOffsets } from './judged-offsets.ts';
import { writeCode } from './transaction-errors.ts';

type Request = RequestOf<typeof txnOffsetCommit>;
type Offsets = ReturnType<typeof judgeOffsets>;

export default handler({
  api: txnOffsetCommit,
  versions: [0, 6],
  async handle(request, context) {
    const denied = denial(request, context);
    const judged = judgeOffsets(request.topics, context, context.version >= 6);
    const errorCode = denied ?? (await commit(request, judged, context));
    return {
      topics: judged.map(({ name, topicId, partitions }) => ({
        name,
        topicId,
        partitions: partitions.map(({ index, refusal }) => ({
          partitionIndex: index,
          errorCode: denied ?? refusal ?? errorCode,
        })),
      })),
    };
  },
});

function denial(request: Request, { may }: RequestContext): number | undefined {
  if (!may('Write', 'TransactionalId', request.transactionalId)) {
    return CODE.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
  }
  if (!may('Read', 'Group', request.groupId)) return CODE.GROUP_AUTHORIZATION_FAILED;
  return request.groupId === '' ? CODE.INVALID_GROUP_ID : undefined;
}

async function commit(request: Request, judged: Offsets, context: RequestContext): Promise<number> {
  const { broker, version } = context;
  const offsets = judged.flatMap(({ partitions }) => partitions.flatMap(({ offset }) => offset ?? []));
  if (offsets.length === 0) return CODE.NONE;
  try {
    await broker.groups.topic.ensure();
  } catch (error) {
    codeOf(error);
    return CODE.COORDINATOR_NOT_AVAILABLE;
  }
  const belongs = belongsTo(request, context);
  if (belongs === 'nothing') {
    broker.transactions.orphanedOffsets.add(offsets.length);
    return CODE.NONE;
  }
  if (typeof belongs === 'number') {
    const code = writeCode(belongs, { abortable: version >= 4, implicitAdd: version >= 5 });
    return code === CODE.NOT_ENOUGH_REPLICAS ? CODE.COORDINATOR_NOT_AVAILABLE : code;
  }
  // In the same turn as the record of the partition that was added.
  const committed = broker.groups.commitInTransaction(
    {
      groupId: request.groupId,
      generation: request.generationIdOrMemberEpoch,
      memberId: request.memberId,
      instanceId: request.groupInstanceId,
      offsets,
    },
    request,
  );
  const [added, errorCode] = await Promise.all([belongs.durable, committed]);
  return errorCode === CODE.NONE ? added : errorCode;
}

/** Whether the positions are part of a transaction: a code where they are not, or when it is known for good. */
function belongsTo(
  request: Request,
  { broker: { transactions, groups }, version }: RequestContext,
): number | 'nothing' | { readonly durable: Promise<number> } {
  const place = offsetsPlace(groups.topic.partitionFor(request.groupId)!);
  if (version >= 5) return transactions.addNow(request.transactionalId, request, [place], 2);
  const owner = transactions.transactionalIdOf(request.producerId);
  if (owner === undefined) return 'nothing';
  if (!transactions.verifiesWrites) return { durable: Promise.resolve(CODE.NONE) };
  const errorCode = transactions.verify(owner, request, place);
  return errorCode === CODE.NONE ? { durable: Promise.resolve(CODE.NONE) } : errorCode;
}
