/** Who may commit positions, and who may read them. */
import { CODE } from '../wire/errors.ts';
import type { CommitOffset, CommitRequest } from './commits.ts';
import type { ConsumerGroup } from './consumer/consumer-group.ts';
import type { TopicImage } from './consumer/topic-image.ts';
import type { Group } from './group.ts';
import { checkMember } from './membership.ts';

/** From this version on OffsetCommit knows KIP-848. */
const MEMBER_EPOCH_VERSION = 9;

export type Committer = Pick<CommitRequest, 'generation' | 'memberId' | 'instanceId'> & {
  readonly version?: number;
  readonly isTransactional?: boolean;
};

/** Why a commit is refused as a whole, undefined when it is not. */
export function commitRefusal(
  group: Group | ConsumerGroup | undefined,
  request: Committer,
): number | undefined {
  const { generation, memberId, instanceId, version = 0, isTransactional = false } = request;
  if (!group) {
    if (generation < 0) return undefined;
    return version >= MEMBER_EPOCH_VERSION ? CODE.GROUP_ID_NOT_FOUND : CODE.ILLEGAL_GENERATION;
  }
  if (group.type === 'consumer') return consumerRefusal(group, request);
  if (generation < 0 && group.phase === 'Empty') return undefined;
  if (generation < 0 && memberId === '' && instanceId === null) {
    // Within a transaction who says nothing of a member need not be one.
    return isTransactional ? undefined : CODE.UNKNOWN_MEMBER_ID;
  }
  const unknown = checkMember(group, memberId, instanceId);
  if (unknown !== undefined) return unknown;
  if (generation !== group.generation) return CODE.ILLEGAL_GENERATION;
  return group.phase === 'CompletingRebalance' && !isTransactional ? CODE.REBALANCE_IN_PROGRESS : undefined;
}

/** KIP-1251: an older epoch will do for partitions that the member has had since then. Those that it has not. */
export function staleOffsets(
  group: Group | ConsumerGroup | undefined,
  request: CommitRequest,
  topics: TopicImage,
): ReadonlySet<CommitOffset> {
  const stale = new Set<CommitOffset>();
  if (group?.type !== 'consumer') return stale;
  const member = group.members.get(request.memberId);
  if (!member || member.about.classic || request.generation === member.current.epoch) return stale;
  const { assigned, revoking } = member.current;
  for (const one of request.offsets) {
    const id = topics.byName(one.topic)?.id ?? '';
    const since = assigned.get(id)?.get(one.partition) ?? revoking.get(id)?.get(one.partition);
    if (since === undefined || request.generation < since) stale.add(one);
  }
  return stale;
}

/** Why positions are not told to this member (OffsetFetch v9+), undefined when they are. */
export function fetchRefusal(
  group: Group | ConsumerGroup | undefined,
  memberId: string | null,
  memberEpoch: number,
): number | undefined {
  if (group?.type !== 'consumer' || ((memberId ?? '') === '' && memberEpoch < 0)) return undefined;
  const member = group.members.get(memberId ?? '');
  if (!member) return CODE.UNKNOWN_MEMBER_ID;
  if (memberEpoch === member.current.epoch) return undefined;
  return member.about.classic ? CODE.ILLEGAL_GENERATION : CODE.STALE_MEMBER_EPOCH;
}

function consumerRefusal(
  { members }: ConsumerGroup,
  { generation: epoch, memberId, version = 0, isTransactional = false }: Committer,
): number | undefined {
  if (epoch < 0 && members.size === 0) return undefined;
  const member = members.get(memberId);
  if (!member) return CODE.UNKNOWN_MEMBER_ID;
  if (member.about.classic) return epoch === member.current.epoch ? undefined : CODE.ILLEGAL_GENERATION;
  if (!isTransactional && version < MEMBER_EPOCH_VERSION) return CODE.UNSUPPORTED_VERSION;
  return epoch < 0 || epoch > member.current.epoch ? CODE.STALE_MEMBER_EPOCH : undefined;
}
