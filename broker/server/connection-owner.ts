import type { ListenerSettings } from '../config.ts';
import type { Clock, Timers } from '../host/host.ts';
import type { Log } from '../host/log.ts';
import type { Address } from '../host/net.ts';
import type { ConnectionAuthentication } from '../security/connection-authentication.ts';
import type { FrameMemory } from '../wire/frame-memory.ts';
import type { Connection } from './connection.ts';
import type { Dispatch } from './dispatch.ts';
import type { MemoryBudget } from './memory-budget.ts';

/** What a connection needs of the server around it. */
export interface ConnectionOwner {
  readonly dispatch: Dispatch;
  readonly clock: Clock;
  readonly log: Log;
  readonly requestBytesMax: number;
  /** For those who have not said who they are yet. */
  readonly unauthenticatedRequestBytesMax: number;
  readonly timers: Timers;
  /** What requests hold from before they are decoded until they are answered. */
  readonly requestMemory: MemoryBudget;
  /** What large answers hold until they are sent. */
  readonly answerMemory: MemoryBudget;
  readonly frameMemory: FrameMemory;
  readonly firstRequestMs: number;
  readonly firstAuthenticationMs: number;
  readonly requestReceiveMs: number;
  readonly answerSendMs: number;
  /** Accounts for half-received requests; false when there are too many of them. */
  buffer(bytes: number): boolean;
  closed(connection: Connection, reason: CloseReason): void;
}

export type CloseReason =
  | 'client'
  | 'protocol'
  | 'idle'
  /** No first request in time, or one that came byte by byte. */
  | 'slow-sender'
  /** An answer that was not taken in time. */
  | 'slow-reader'
  | 'memory'
  | 'internal'
  | 'authentication'
  | 'shutdown';

/** What the server knows of a connection when it comes. */
export interface Arrival {
  readonly nodeId: number;
  readonly listener: ListenerSettings;
  readonly advertised: Address;
  readonly authentication: ConnectionAuthentication;
}
