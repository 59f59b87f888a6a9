import type { BrokerConfig, ListenerSettings } from '../config.ts';
import type { Sources } from '../configs/describe.ts';
import type { SessionCache } from '../fetch/session-cache.ts';
import type { GroupCoordinator } from '../groups/coordinator.ts';
import type { Address } from '../host/net.ts';
import type { Host } from '../host/host.ts';
import type { Counter } from '../host/metrics.ts';
import type { BrokerLog } from '../log/log.ts';
import type { ReadAhead } from '../fetch/read-ahead.ts';
import type { ReadBuffers } from '../log/segment/read-buffers.ts';
import type { Authorizer, Operation, ResourceType } from '../security/authorizer.ts';
import type { ConnectionAuthentication } from '../security/connection-authentication.ts';
import type { Security } from '../security/security.ts';
import type { ShareGroups } from '../share/share-groups.ts';
import type { ClientQuotas } from '../quotas/client-quotas.ts';
import type { TransactionCoordinator } from '../transactions/coordinator.ts';
import type { ProducerIds } from '../transactions/producer-ids.ts';
import type { Features } from './features.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { TopicRegistry } from './topics.ts';

/** What handlers work on. */
export interface Broker {
  /** Follows what administrators change: to be read when it is used. */
  readonly config: BrokerConfig;
  /** Where settings come from, for those who describe and alter them. */
  readonly configs: Sources;
  readonly host: Host;
  readonly log: BrokerLog;
  readonly topics: TopicRegistry;
  readonly groups: GroupCoordinator;
  readonly shares: ShareGroups;
  readonly producerIds: ProducerIds;
  readonly transactions: TransactionCoordinator;
  readonly authorizer: Authorizer;
  readonly quotas: ClientQuotas;
  readonly features: Features;
  readonly telemetry: Telemetry;
  readonly security: Security;
  /** What ApiVersions says. */
  readonly apis: readonly ApiRow[];
  readonly fetchedBytes: Counter;
  readonly fetchSessions: SessionCache;
  /** For what an answer holds until it was sent. */
  readonly readBuffers: ReadBuffers;
  readonly readAhead: ReadAhead;
  /** Aborted when the broker stops: parked fetches answer with what there is. */
  readonly stopping: AbortSignal;
}

export interface ApiRow {
  readonly apiKey: number;
  readonly minVersion: number;
  readonly maxVersion: number;
}

/** The request being handled. */
export interface RequestContext {
  readonly broker: Broker;
  readonly version: number;
  readonly clientId: string;
  readonly connection: ConnectionView;
  /**
   * Whether this client may do that to the topic, group, transactional id or user of this name (to the cluster, for
   * which the name is left out). A refusal is an error code in the answer, never a dropped connection.
   */
  readonly may: (operation: Operation, resourceType: ResourceType, name?: string) => boolean;
  /** Whether there is any resource of this type to which it may do that. */
  readonly maySome: (operation: Operation, resourceType: ResourceType) => boolean;
  /**
   * To be called once everything that a later request could see is done and only the answer is waited for. The bytes of
   * the request are written over then.
   */
  readonly accepted: () => void;
  /** To be awaited before an answer of that many bytes is put together. */
  readonly reserve: (bytes: number) => Promise<void>;
  /** Calls `fn` once the answer was sent, or will not be. */
  readonly whenSent: (fn: () => void) => void;
  /** Has the connection say and hear nothing for so long, once the answer has left. */
  readonly throttle: (ms: number) => void;
}

export interface ConnectionView {
  readonly remote: Address;
  /** `User:name`, `User:ANONYMOUS` before or without authentication. */
  readonly principal: string;
  readonly authentication: ConnectionAuthentication;
  /** The node that the client connected to: always the same one, unless several are played (`virtualNodes`). */
  readonly nodeId: number;
  /** The way it came in. */
  readonly listener: ListenerSettings;
  /** What Metadata tells this connection's client to connect to: verbatim, never resolved. */
  readonly advertised: Address;
  /** Aborted when the connection is gone. */
  readonly closed: AbortSignal;
  /** Moves where the next fetch begins to fill, so that no partition starves behind the others. */
  fetchTurn: number;
  /** What the client says it is, in ApiVersions; empty before. */
  software: { readonly name: string; readonly version: string };
  /** Takes no further request and closes once the answers to those so far have left. */
  endAfterAnswer(reason: string): void;
}
