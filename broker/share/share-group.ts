/**
 * The members of a share group. Pure: a request and the topics as they are now give the group as it will be once its
 * records are durable, and the answer to send then.
 *
 * There is nothing to hand over between members, since partitions are shared: a member is told its partitions in its
 * next heartbeat and that is all. The group's epoch grows with every change of members, subscriptions or topics; a
 * member takes it on when it is told.
 */
import { CODE } from '../wire/errors.ts';
import { assign, type AssignedTopic, type Assignment } from './share-assignor.ts';

export const JOIN_EPOCH = 0;
export const LEAVE_EPOCH = -1;

export interface ShareMember {
  readonly memberId: string;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** The group's epoch that this member was told. */
  readonly epoch: number;
  /** The one before: accepted too, since the answer that carried the new one may be lost. */
  readonly previousEpoch: number;
  /** Sorted. */
  readonly subscribed: readonly string[];
  /** What it was told. */
  readonly assigned: Assignment;
}

export interface ShareGroup {
  readonly groupId: string;
  readonly epoch: number;
  readonly members: ReadonlyMap<string, ShareMember>;
  /** What each member should have, as of `epoch`. */
  readonly target: ReadonlyMap<string, Assignment>;
  /** The topics the target was made from. */
  readonly topicsKey: string;
}

export interface ShareHeartbeat {
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly rackId: string | null;
  /** Null: as before. */
  readonly subscribed: readonly string[] | null;
  readonly clientId: string;
  readonly clientHost: string;
}

export interface HeartbeatAnswer {
  readonly memberEpoch: number;
  /** Null: as before. */
  readonly assignment: Assignment | null;
}

/** Finds a subscribed topic; undefined while there is none of the name. */
export type FindTopic = (name: string) => AssignedTopic | undefined;

export interface Refused {
  readonly errorCode: number;
  readonly errorMessage: string;
}

export function emptyShareGroup(groupId: string): ShareGroup {
  return { groupId, epoch: 0, members: new Map(), target: new Map(), topicsKey: '' };
}

export function stateOf({ members }: ShareGroup): 'Empty' | 'Stable' {
  return members.size === 0 ? 'Empty' : 'Stable';
}

/** The group after a heartbeat, a join (epoch 0) or a leave (-1). */
export function heartbeat(
  group: ShareGroup,
  request: ShareHeartbeat,
  findTopic: FindTopic,
  membersMax: number,
): { readonly group: ShareGroup; readonly answer: HeartbeatAnswer } | Refused {
  const { memberId, memberEpoch } = request;
  const known = group.members.get(memberId);
  if (memberEpoch === LEAVE_EPOCH) {
    if (!known) return unknownMember(memberId);
    const left = withoutMembers(group, [memberId], findTopic);
    return { group: left, answer: { memberEpoch: LEAVE_EPOCH, assignment: null } };
  }
  if (!known && memberEpoch !== JOIN_EPOCH) return unknownMember(memberId);
  if (!known && group.members.size >= membersMax) {
    const errorMessage = `cannot join: got a group of ${group.members.size} members, want fewer than ${membersMax}`;
    return { errorCode: CODE.GROUP_MAX_SIZE_REACHED, errorMessage };
  }
  const isCurrent = memberEpoch === known?.epoch || memberEpoch === known?.previousEpoch;
  if (known && memberEpoch !== JOIN_EPOCH && !isCurrent) {
    const errorMessage = `cannot take a heartbeat: got member epoch ${memberEpoch}, want ${known.epoch}`;
    return { errorCode: CODE.FENCED_MEMBER_EPOCH, errorMessage };
  }
  const subscribed = request.subscribed
    ? [...new Set(request.subscribed)].toSorted()
    : (known?.subscribed ?? []);
  const member: ShareMember = {
    memberId,
    rackId: request.rackId ?? known?.rackId ?? null,
    clientId: request.clientId,
    clientHost: request.clientHost,
    epoch: known?.epoch ?? 0,
    previousEpoch: known?.previousEpoch ?? 0,
    subscribed,
    assigned: known?.assigned ?? new Map(),
  };
  const changes = !known || subscribed.join() !== known.subscribed.join();
  const updated = withMember(group, member);
  const next = reassigned(updated, findTopic, changes);
  const told = reconciled(next, memberId);
  const isFull = memberEpoch === JOIN_EPOCH || request.subscribed !== null;
  const after = told.members.get(memberId)!;
  const isNew = isFull || after.epoch !== memberEpoch;
  return { group: told, answer: { memberEpoch: after.epoch, assignment: isNew ? after.assigned : null } };
}

/** Members that have left, or have not been heard of for a session. */
export function withoutMembers(
  group: ShareGroup,
  memberIds: readonly string[],
  findTopic: FindTopic,
): ShareGroup {
  const members = new Map(group.members);
  for (const memberId of memberIds) members.delete(memberId);
  if (members.size === group.members.size) return group;
  return reassigned({ ...group, members }, findTopic, true);
}

/** Every topic that any member subscribes to, where it exists. */
export function subscribedTopics(group: ShareGroup, findTopic: FindTopic): AssignedTopic[] {
  const names = new Set([...group.members.values()].flatMap(({ subscribed }) => subscribed));
  return [...names].toSorted().flatMap((name) => findTopic(name) ?? []);
}

/** As it was read back, with the topics as they are: nothing changes them while the broker is down. */
export function restoredGroup(group: ShareGroup, findTopic: FindTopic): ShareGroup {
  return { ...group, topicsKey: keyOf(subscribedTopics(group, findTopic)) };
}

function keyOf(topics: readonly AssignedTopic[]): string {
  return topics.map(({ id, partitions }) => `${id}:${partitions}`).join();
}

function reassigned(group: ShareGroup, findTopic: FindTopic, changes: boolean): ShareGroup {
  const topics = subscribedTopics(group, findTopic);
  const topicsKey = keyOf(topics);
  if (!changes && topicsKey === group.topicsKey) return group;
  const members = [...group.members.values()].map((member) => ({
    memberId: member.memberId,
    subscribed: member.subscribed,
    assigned: group.target.get(member.memberId) ?? member.assigned,
  }));
  return { ...group, epoch: group.epoch + 1, target: assign(members, topics), topicsKey };
}

/** The member is told of the newest epoch. */
function reconciled(group: ShareGroup, memberId: string): ShareGroup {
  const member = group.members.get(memberId)!;
  if (member.epoch === group.epoch) return group;
  return withMember(group, {
    ...member,
    previousEpoch: member.epoch,
    epoch: group.epoch,
    assigned: group.target.get(memberId) ?? new Map(),
  });
}

function withMember(group: ShareGroup, member: ShareMember): ShareGroup {
  return { ...group, members: new Map(group.members).set(member.memberId, member) };
}

function unknownMember(memberId: string): Refused {
  const errorMessage = `cannot take a heartbeat: got member ${memberId.slice(0, 100)}, which the group does not have`;
  return { errorCode: CODE.UNKNOWN_MEMBER_ID, errorMessage };
}
