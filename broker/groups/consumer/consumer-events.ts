/** What happens to a KIP-848 group, and what its machine answers. */
import type { HeartbeatEvent, JoinAnswer, JoinEvent, LeaveEvent, SyncAnswer, SyncEvent } from '../group.ts';
import type { Assigned, Partitions } from './partitions.ts';

/** ConsumerGroupHeartbeat; null and -1 leave what is known as it is. */
export interface ConsumerHeartbeat {
  readonly kind: 'heartbeat';
  readonly memberId: string;
  /** The id for a member that comes without one (v0): random, so it is the owner's. */
  readonly freshMemberId: string;
  /** 0 joins, -1 leaves, -2 leaves for a while. */
  readonly memberEpoch: number;
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  readonly topics: readonly string[] | null;
  readonly regex: string | null;
  readonly assignor: string | null;
  readonly owned: Partitions | null;
  /** Which topics a pattern may stand for. */
  readonly maySee: (topic: string) => boolean;
}

type Classic<E extends { to: number }, K extends string> = Omit<E, 'to' | 'kind'> & { readonly kind: K };

export type ClassicJoin = Classic<JoinEvent, 'classic-join'> & {
  /** Which topics the patterns of others may stand for. */
  readonly maySee: (topic: string) => boolean;
};
export type ClassicSync = Classic<SyncEvent, 'classic-sync'>;
export type ClassicHeartbeat = Classic<HeartbeatEvent, 'classic-heartbeat'>;
export type ClassicLeave = Classic<LeaveEvent, 'classic-leave'>;

export type ConsumerEvent =
  | ConsumerHeartbeat
  | ClassicJoin
  | ClassicSync
  | ClassicHeartbeat
  | ClassicLeave
  /** Time passed: see `consumerDeadlineMs`. */
  | { readonly kind: 'tick' };

export interface HeartbeatAnswer {
  readonly api: 'consumer-heartbeat';
  readonly memberId: string;
  readonly memberEpoch: number;
  readonly heartbeatIntervalMs: number;
  /** Null: as before. */
  readonly assignment: Assigned | null;
}

export type ConsumerAnswer =
  | HeartbeatAnswer
  | JoinAnswer
  | SyncAnswer
  | { readonly api: 'heartbeat'; readonly errorCode: number }
  | { readonly api: 'leave'; readonly errorCodes: readonly number[] }
  | Refused;

export interface Refused {
  readonly api: 'refused';
  readonly errorCode: number;
  readonly message: string;
}
