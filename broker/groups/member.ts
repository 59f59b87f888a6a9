import type { Token } from '../state/parked-requests.ts';

/** One member of a classic group. Immutable: a change is a new object in the group's map. */
export interface Member {
  readonly memberId: string;
  /** `group.instance.id` of a static member. */
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  /** In the member's order of preference. */
  readonly protocols: readonly Protocol[];
  readonly assignment: Uint8Array;
  /** When the member is taken for dead; does not count while a request of it is parked (but see `isNew`). */
  readonly sessionDeadlineMs: number;
  /** The parked JoinGroup, SyncGroup: whom to answer. */
  readonly joining: Token | undefined;
  readonly syncing: Token | undefined;
  /** Has never been part of a generation: its parked JoinGroup has a deadline, as the client may be gone. */
  readonly isNew: boolean;
}

export interface Protocol {
  readonly name: string;
  /** Opaque to the coordinator. */
  readonly metadata: Uint8Array;
}

/** A parked JoinGroup cannot notice that its client went away; after this a new member is given up. */
export const NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1000;

export const NO_ASSIGNMENT: Uint8Array = Buffer.alloc(0);

export function isExpired(member: Member, nowMs: number): boolean {
  const deadlineMs = sessionEndMs(member);
  return deadlineMs !== undefined && deadlineMs <= nowMs;
}

/** Undefined while the member waits for us rather than we for it. */
export function sessionEndMs(member: Member): number | undefined {
  if (member.isNew) return member.sessionDeadlineMs;
  return member.joining !== undefined || member.syncing !== undefined ? undefined : member.sessionDeadlineMs;
}

/** Same protocols in the same order with the same metadata. */
export function hasProtocols(member: Member, protocols: readonly Protocol[]): boolean {
  return (
    member.protocols.length === protocols.length &&
    member.protocols.every(
      (own, index) =>
        own.name === protocols[index]!.name && Buffer.compare(own.metadata, protocols[index]!.metadata) === 0,
    )
  );
}

export function metadataFor(member: Member, protocol: string | null): Uint8Array {
  return member.protocols.find(({ name }) => name === protocol)?.metadata ?? Buffer.alloc(0);
}
