import type { CloseReason } from './connection-owner.ts';

/** What a request that is received slowly must bring a second; a modem does. */
const RECEIVED_BYTES_PER_SECOND_MIN = 4 * 1024;
/** What a reader of a large answer must take a second. */
const SENT_BYTES_PER_SECOND_MIN = 16 * 1024;

export interface DeadlineLimits {
  readonly firstRequestMs: number;
  readonly firstAuthenticationMs: number;
  readonly requestReceiveMs: number;
  readonly answerSendMs: number;
}

/** What a connection is doing when its deadlines are looked at. */
export interface ConnectionState {
  /** It has not said who it is. */
  readonly isStranger: boolean;
  /** An answer was written that the peer has not taken. */
  readonly isSending: boolean;
  /** A request is worked on, for which the client rightly waits. */
  readonly isServed: boolean;
  /** Of a request that is half here. */
  readonly bufferedBytes: number;
}

/** The steady times of one connection, and which of its deadlines have passed. */
export class ConnectionDeadlines {
  /** Of the last byte in or out. */
  activeMs: number;
  private readonly limits: DeadlineLimits;
  private readonly connectedMs: number;
  /** Of connecting, or of the first byte of the request that is half here; undefined between requests. */
  private receivingSinceMs: number | undefined;
  private receiveMs: number;
  /** Of the answer that the reader has not taken. */
  private sendDueMs = 0;

  constructor(limits: DeadlineLimits, nowMs: number) {
    this.limits = limits;
    this.activeMs = nowMs;
    this.connectedMs = nowMs;
    this.receivingSinceMs = nowMs;
    this.receiveMs = limits.firstRequestMs;
  }

  /** A request is here, whole. */
  received(): void {
    this.receivingSinceMs = undefined;
    this.receiveMs = this.limits.requestReceiveMs;
  }

  /** The next request is half here, and nothing is worked on. */
  receiving(nowMs: number): void {
    this.receivingSinceMs ??= nowMs;
  }

  /** An answer of so many bytes was just written, which the peer does not take at once. */
  sending(bytes: number): void {
    this.sendDueMs = this.activeMs + this.limits.answerSendMs + (bytes / SENT_BYTES_PER_SECOND_MIN) * 1_000;
  }

  /** Why the connection has to go by now, undefined when it may stay. */
  overdue(nowMs: number, idleMs: number, state: ConnectionState): CloseReason | undefined {
    // Also while it is served, since a stranger may ask without end what needs no login.
    if (state.isStranger && nowMs - this.connectedMs > this.limits.firstAuthenticationMs) {
      return 'authentication';
    }
    if (state.isSending) return nowMs > this.sendDueMs ? 'slow-reader' : undefined;
    if (state.isServed) return undefined;
    if (this.receivingSinceMs !== undefined) {
      const sinceMs = nowMs - this.receivingSinceMs;
      const wanted = (sinceMs / 1_000) * RECEIVED_BYTES_PER_SECOND_MIN;
      if (sinceMs > this.receiveMs && state.bufferedBytes < wanted) return 'slow-sender';
    }
    return nowMs - this.activeMs > idleMs ? 'idle' : undefined;
  }
}
