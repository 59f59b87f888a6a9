/**
 * Share sessions: the partitions a member fetches, kept between its requests so that these need to say only what
 * changes. A session belongs to one member over one connection; every request carries the next epoch, so that a lost
 * or repeated one is noticed. Pure.
 *
 *     0 opens (and replaces) · n carries on, if n is what is expected · -1 closes
 */
import { CODE } from '../wire/errors.ts';

export const OPEN_EPOCH = 0;
export const CLOSE_EPOCH = -1;
const EPOCH_MAX = 2 ** 31 - 1;

export interface SessionPartition {
  readonly topicId: string;
  readonly partition: number;
}

export interface ShareSession {
  readonly groupId: string;
  readonly memberId: string;
  /** Both in one. */
  readonly memberKey: string;
  /** What the next request has to say. */
  readonly epoch: number;
  /** In the order of their adding; the value: has to be in the next answer, even with nothing to say. */
  readonly partitions: ReadonlyMap<string, { readonly partition: SessionPartition; readonly isDue: boolean }>;
}

export function sessionPartitionKey({ topicId, partition }: SessionPartition): string {
  return `${topicId}/${partition}`;
}

export function openSession(
  groupId: string,
  memberId: string,
  added: readonly SessionPartition[],
): ShareSession {
  return withPartitions(
    { groupId, memberId, memberKey: memberKeyOf(groupId, memberId), epoch: 1, partitions: new Map() },
    added,
    [],
  );
}

/** The session after a request of this epoch, or why the request is refused. Closing changes nothing here. */
export function nextSession(
  session: ShareSession | undefined,
  epoch: number,
  added: readonly SessionPartition[] = [],
  forgotten: readonly SessionPartition[] = [],
): ShareSession | number {
  if (!session) return CODE.SHARE_SESSION_NOT_FOUND;
  if (epoch === CLOSE_EPOCH) return session;
  if (epoch !== session.epoch) return CODE.INVALID_SHARE_SESSION_EPOCH;
  const next = withPartitions(session, added, forgotten);
  // Zero would open a session: after the largest epoch comes 1.
  return { ...next, epoch: epoch === EPOCH_MAX ? 1 : epoch + 1 };
}

/** Answered: what failed has to be told again when it works, the rest only when there is something to say. */
export function answeredSession(session: ShareSession, failed: ReadonlySet<string>): ShareSession {
  const partitions = new Map(
    [...session.partitions].map(([key, { partition }]) => [key, { partition, isDue: failed.has(key) }]),
  );
  return { ...session, partitions };
}

function withPartitions(
  session: ShareSession,
  added: readonly SessionPartition[],
  forgotten: readonly SessionPartition[],
): ShareSession {
  if (added.length === 0 && forgotten.length === 0) return session;
  const partitions = new Map(session.partitions);
  for (const partition of added) {
    const key = sessionPartitionKey(partition);
    if (!partitions.has(key)) partitions.set(key, { partition, isDue: true });
  }
  for (const partition of forgotten) partitions.delete(sessionPartitionKey(partition));
  return { ...session, partitions };
}

interface Entry {
  session: ShareSession;
  readonly connection: SessionConnection;
}

/** Where a session came in: it ends with the connection, and a member has one at each node that it fetches from. */
export interface SessionConnection {
  readonly nodeId: number;
}

/** All sessions, and the connection of each. */
export class ShareSessions {
  private readonly byMember = new Map<string, Map<number, Entry>>();
  private readonly byConnection = new Map<SessionConnection, Set<ShareSession['memberKey']>>();
  private readonly sessionsMax: number;
  private count = 0;

  constructor(sessionsMax: number) {
    this.sessionsMax = sessionsMax;
  }

  get size(): number {
    return this.count;
  }

  get(groupId: string, memberId: string, nodeId: number): ShareSession | undefined {
    return this.byMember.get(memberKeyOf(groupId, memberId))?.get(nodeId)?.session;
  }

  /** The new session, or SHARE_SESSION_LIMIT_REACHED. One that the member had here is gone either way. */
  open(
    groupId: string,
    memberId: string,
    added: readonly SessionPartition[],
    connection: SessionConnection,
  ): ShareSession | number {
    const { nodeId } = connection;
    this.close(groupId, memberId, nodeId);
    if (this.count >= this.sessionsMax) return CODE.SHARE_SESSION_LIMIT_REACHED;
    const session = openSession(groupId, memberId, added);
    const { memberKey } = session;
    const atNodes = this.byMember.get(memberKey) ?? new Map<number, Entry>();
    this.byMember.set(memberKey, atNodes.set(nodeId, { session, connection }));
    const keys = this.byConnection.get(connection) ?? new Set();
    this.byConnection.set(connection, keys.add(memberKey));
    this.count += 1;
    return session;
  }

  /** The end of this connection is not watched yet. */
  isNew(connection: SessionConnection): boolean {
    return !this.byConnection.has(connection);
  }

  /** The session as a request, or its answer, leaves it. */
  replace(session: ShareSession, nodeId: number): void {
    const entry = this.byMember.get(session.memberKey)?.get(nodeId);
    if (entry) entry.session = session;
  }

  close(groupId: string, memberId: string, nodeId: number): ShareSession | undefined {
    return this.remove(memberKeyOf(groupId, memberId), nodeId);
  }

  /** The member has left: its sessions end at all nodes. */
  closeMember(groupId: string, memberId: string): void {
    const memberKey = memberKeyOf(groupId, memberId);
    for (const nodeId of this.byMember.get(memberKey)?.keys() ?? []) this.remove(memberKey, nodeId);
  }

  /** The connection is gone, and its sessions with it. */
  closeConnection(connection: SessionConnection): ShareSession[] {
    const keys = [...(this.byConnection.get(connection) ?? [])];
    this.byConnection.delete(connection);
    return keys.flatMap((memberKey) => this.remove(memberKey, connection.nodeId) ?? []);
  }

  private remove(memberKey: string, nodeId: number): ShareSession | undefined {
    const atNodes = this.byMember.get(memberKey);
    const entry = atNodes?.get(nodeId);
    if (!atNodes || !entry) return undefined;
    atNodes.delete(nodeId);
    if (atNodes.size === 0) this.byMember.delete(memberKey);
    this.byConnection.get(entry.connection)?.delete(memberKey);
    this.count -= 1;
    return entry.session;
  }
}

function memberKeyOf(groupId: string, memberId: string): string {
  return JSON.stringify([groupId, memberId]);
}
