/**
 * One client connection: bytes to frames, frames to answers.
 *
 * One request is worked on at a time and answers leave in the order of the requests, also when a client sends
 * several ahead. Only a Produce may begin while earlier ones wait for the disk: their batches are in the log in the
 * order of the requests, and one fdatasync then serves all of them. What waits is bounded: while a request is worked
 * on, or a slow reader has not taken the last answer, the socket is paused as soon as `AHEAD_BYTES_MAX` have come.
 */
import type { ListenerSettings } from '../config.ts';
import type { Clock, Timers } from '../host/host.ts';
import type { Log } from '../host/log.ts';
import type { Address, Socket } from '../host/net.ts';
import type { ConnectionAuthentication } from '../security/connection-authentication.ts';
import { FrameAssembler } from '../wire/frame.ts';
import type { FrameMemory } from '../wire/frame-memory.ts';
import { produce } from '../wire/schemas/index.ts';
import { WireError } from '../wire/wire-error.ts';
import type { ConnectionView } from './broker.ts';
import type { Dispatch } from './dispatch.ts';
import { CloseConnection } from './handler.ts';
import type { MemoryBudget } from './memory-budget.ts';

/** Header of the smallest request: key, version, correlation id, client id. */
const FRAME_BYTES_MIN = 10;
const AHEAD_BYTES_MAX = 256 * 1024;
/** Produce requests of a connection that wait for the disk together; usual clients send 5 ahead. */
const UNANSWERED_MAX = 64;
/** What a request that is received slowly must bring a second; a modem does. */
const RECEIVED_BYTES_PER_SECOND_MIN = 4 * 1024;
/** What a reader of a large answer must take a second. */
const SENT_BYTES_PER_SECOND_MIN = 16 * 1024;
/**
 * What decoding makes of a byte, in objects, where it is not a view of the frame. Measured on the heap: 2 for lists of
 * numbers, 5 to 6 for partitions of a Fetch, 16 for topics of a Metadata, 22 at worst (names of one letter).
 */
const DECODED_BYTES_PER_BYTE = 8;
/** Requests that wait for memory longer are given up, with their connection. */
const MEMORY_WAIT_MAX_MS = 30_000;
/** First bytes of a TLS hello, read as a length. */
const TLS_HELLO = 0x1603;

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

/** What a request keeps from others until it is answered. */
interface Held {
  readonly request: number;
  answer: number;
  readonly sent: Array<() => void>;
}

export class Connection implements ConnectionView {
  readonly remote: Address;
  readonly nodeId: number;
  readonly advertised: Address;
  readonly listener: ListenerSettings;
  readonly authentication: ConnectionAuthentication;
  fetchTurn = 0;
  software = { name: '', version: '' };
  /** Steady time of the last byte in or out. */
  activeMs: number;
  private readonly connectedMs: number;
  private readonly socket: Socket;
  private readonly owner: ConnectionOwner;
  private readonly assembler: FrameAssembler;
  private readonly abort = new AbortController();
  private working = false;
  private unanswered = 0;
  /** Resolves when the answers to all requests so far have left; never rejects. */
  private answered: Promise<void> = Promise.resolve();
  /** Steady time until which a client that was over a quota is not heard (KIP-219). */
  private mutedUntilMs = -Infinity;
  private paused = false;
  private draining = false;
  private endReason: CloseReason = 'shutdown';
  private isClosed = false;
  private accounted = 0;
  private onDrain: (() => void) | undefined;
  /** Of the answer that the reader has not taken. */
  private sendDueMs = 0;
  /** Steady time of connecting, or of the first byte of the request that is half here; undefined between requests. */
  private receivingSinceMs: number | undefined;
  private receiveMs: number;

  constructor(socket: Socket, arrival: Arrival, owner: ConnectionOwner) {
    const { nodeId, listener, advertised, authentication } = arrival;
    this.socket = socket;
    this.remote = socket.remote;
    this.nodeId = nodeId;
    this.listener = listener;
    this.advertised = advertised;
    this.authentication = authentication;
    this.owner = owner;
    this.activeMs = owner.clock.monotonicMs();
    this.connectedMs = this.activeMs;
    this.receivingSinceMs = this.activeMs;
    this.receiveMs = owner.firstRequestMs;
    const bounds = { bytesMin: FRAME_BYTES_MIN, bytesMax: owner.requestBytesMax };
    this.assembler = new FrameAssembler(bounds, owner.frameMemory);
    socket.start({
      data: (chunk) => this.data(chunk),
      drain: () => this.drain(),
      close: () => this.gone('client'),
    });
  }

  get principal(): string {
    return this.authentication.principal;
  }

  get closed(): AbortSignal {
    return this.abort.signal;
  }

  /** True while a request is worked on, for which the client rightly waits. */
  get busy(): boolean {
    return (this.working || this.unanswered > 0) && this.onDrain === undefined;
  }

  /** Why it has to go by now, undefined when it may stay. */
  overdue(nowMs: number, idleMs: number): CloseReason | undefined {
    // Also while it is served, since a stranger may ask without end what needs no login.
    const isStranger = !this.authentication.isSettled;
    if (isStranger && nowMs - this.connectedMs > this.owner.firstAuthenticationMs) return 'authentication';
    if (this.onDrain) return nowMs > this.sendDueMs ? 'slow-reader' : undefined;
    if (this.busy) return undefined;
    if (this.receivingSinceMs !== undefined) {
      const sinceMs = nowMs - this.receivingSinceMs;
      const wanted = (sinceMs / 1_000) * RECEIVED_BYTES_PER_SECOND_MIN;
      if (sinceMs > this.receiveMs && this.assembler.bufferedBytes < wanted) return 'slow-sender';
    }
    return nowMs - this.activeMs > idleMs ? 'idle' : undefined;
  }

  /** Takes no further request; closes when those at work are answered. */
  finish(): void {
    this.draining = true;
    this.closeIfDone();
  }

  endAfterAnswer(reason: string): void {
    this.say(reason);
    this.draining = true;
    this.endReason = 'authentication';
  }

  close(reason: CloseReason): void {
    if (this.isClosed) return;
    // `end` rather than `destroy`, so that an answer just written still leaves.
    if (reason === 'shutdown' || reason === 'authentication') this.socket.end();
    else this.socket.destroy();
    this.gone(reason);
  }

  destroy(): void {
    this.socket.destroy();
    this.gone('shutdown');
  }

  private data(chunk: Buffer): void {
    if (this.isClosed) return;
    this.activeMs = this.owner.clock.monotonicMs();
    this.assembler.push(chunk);
    this.account();
    if (this.isClosed) return;
    if (this.working) this.holdBack();
    else void this.work();
  }

  private drain(): void {
    this.activeMs = this.owner.clock.monotonicMs();
    const resume = this.onDrain;
    this.onDrain = undefined;
    resume?.();
  }

  private async work(): Promise<void> {
    this.working = true;
    try {
      for (let frame = this.nextFrame(); frame; frame = this.nextFrame()) {
        this.account();
        this.receivingSinceMs = undefined;
        this.receiveMs = this.owner.requestReceiveMs;
        if (this.unanswered > 0 && !(isProduce(frame) && this.unanswered < UNANSWERED_MAX)) {
          await this.answered;
          if (this.isClosed || this.draining) return;
        }
        if (this.mutedUntilMs > this.owner.clock.monotonicMs()) await this.unmuted();
        if (this.isClosed || this.draining) return;
        const held: Held = { request: heldBy(frame), answer: 0, sent: [] };
        // What is not given back is left to the garbage collector.
        let isLent = isProduce(frame);
        if (!(await this.hold(this.owner.requestMemory, held.request))) return;
        const accepted = Promise.withResolvers<void>();
        const answer = this.owner.dispatch(frame, this, {
          accepted: (isDone) => {
            accepted.resolve();
            if (isDone && isLent) this.assembler.giveBack(frame);
            isLent = false;
          },
          throttle: (ms) => {
            this.mutedUntilMs = Math.max(this.mutedUntilMs, this.owner.clock.monotonicMs() + ms);
          },
          whenSent: (fn) => void held.sent.push(fn),
          reserve: async (bytes) => {
            if (await this.hold(this.owner.answerMemory, bytes)) held.answer += bytes;
          },
        });
        this.answered = this.answer(answer, this.answered, held);
        await Promise.race([accepted.promise, this.answered]);
        if (this.isClosed || this.draining) return;
      }
    } catch (error) {
      await this.answered;
      this.fail(error);
    } finally {
      this.working = false;
      // What came while a request was worked on waited for the broker, not the other way round.
      if (this.assembler.bufferedBytes > 0) this.receivingSinceMs ??= this.owner.clock.monotonicMs();
      if (this.paused && !this.isClosed) {
        this.paused = false;
        this.socket.resume();
      }
      this.closeIfDone();
    }
  }

  private nextFrame(): Buffer | undefined {
    const { requestBytesMax, unauthenticatedRequestBytesMax } = this.owner;
    this.assembler.bytesMin = this.authentication.isRaw ? 0 : FRAME_BYTES_MIN;
    this.assembler.bytesMax = this.authentication.isSettled
      ? requestBytesMax
      : Math.min(requestBytesMax, unauthenticatedRequestBytesMax);
    const frame = this.assembler.next();
    if (!frame || isProduce(frame)) return frame;
    // What is decoded of it may be kept for as long as a member is in its group.
    const own = Buffer.allocUnsafeSlow(frame.length);
    frame.copy(own);
    this.assembler.giveBack(frame);
    return own;
  }

  /** Sends an answer after those before it; one that fails closes the connection, also after those. */
  private async answer(
    answer: Promise<Buffer[] | undefined>,
    before: Promise<void>,
    held: Held,
  ): Promise<void> {
    this.unanswered += 1;
    let isWritten = false;
    const sent = (): void => {
      for (const fn of held.sent.splice(0)) fn();
    };
    try {
      const [outcome] = await Promise.allSettled([answer, before]);
      if (this.isClosed) return;
      if (outcome.status === 'rejected') return this.fail(outcome.reason);
      this.activeMs = this.owner.clock.monotonicMs();
      if (!outcome.value) return;
      isWritten = true;
      if (!this.socket.write(outcome.value, sent)) await this.drained(outcome.value);
    } finally {
      if (!isWritten) sent();
      this.owner.requestMemory.give(held.request);
      this.owner.answerMemory.give(held.answer);
      this.unanswered -= 1;
      this.closeIfDone();
    }
  }

  private closeIfDone(): void {
    if (this.draining && !this.working && this.unanswered === 0) this.close(this.endReason);
  }

  /** Resolves when the peer has taken the answer, or is gone. */
  private drained(chunks: readonly Buffer[]): Promise<void> {
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    this.sendDueMs = this.activeMs + this.owner.answerSendMs + (bytes / SENT_BYTES_PER_SECOND_MIN) * 1_000;
    return new Promise((resolve) => {
      this.onDrain = resolve;
    });
  }

  private async unmuted(): Promise<void> {
    const leftMs = this.mutedUntilMs - this.owner.clock.monotonicMs();
    await this.owner.timers.sleep(Math.ceil(leftMs), this.closed);
  }

  /** Takes memory, when there is some; false when the connection is gone instead. */
  private async hold(budget: MemoryBudget, bytes: number): Promise<boolean> {
    const taken = budget.take(bytes);
    if (!taken) return true;
    const cancel = this.owner.timers.after(MEMORY_WAIT_MAX_MS, () => {
      this.say(`requests of all connections hold ${budget.usedBytes} bytes, want ${budget.bytesMax} at most`);
      this.close('memory');
    });
    await taken;
    cancel();
    if (!this.isClosed) return true;
    budget.give(bytes);
    return false;
  }

  private holdBack(): void {
    if (this.paused || this.assembler.bufferedBytes < AHEAD_BYTES_MAX) return;
    this.paused = true;
    this.socket.pause();
  }

  private account(): void {
    const bytes = this.assembler.bufferedBytes - this.accounted;
    this.accounted += bytes;
    if (this.owner.buffer(bytes)) return;
    this.say('half-received requests of all connections exceed the limit');
    this.close('memory');
  }

  private fail(error: unknown): void {
    if (this.isClosed) return;
    if (error instanceof WireError || error instanceof CloseConnection) {
      this.say(this.explain(error));
      this.close('protocol');
      return;
    }
    this.owner.log.error({ remote: nameOf(this.remote), err: error }, 'connection closed: internal error');
    this.close('internal');
  }

  private explain(error: Error): string {
    const length = /length of (-?\d+)/.exec(error.message);
    if (length && Number(length[1]) >>> 16 === TLS_HELLO) {
      return 'got a TLS hello on a plaintext listener';
    }
    return error.message;
  }

  private say(reason: string): void {
    this.owner.log.warn({ remote: nameOf(this.remote) }, `connection closed: ${reason}`);
  }

  private gone(reason: CloseReason): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.owner.buffer(-this.accounted);
    this.accounted = 0;
    this.abort.abort();
    this.drain();
    this.owner.closed(this, reason);
  }
}

/** What a request will hold: the frame itself, and what decoding makes of all that is no view of it. */
function heldBy(frame: Buffer): number {
  return isProduce(frame) ? frame.length : frame.length * (1 + DECODED_BYTES_PER_BYTE);
}

function isProduce(frame: Buffer): boolean {
  return frame.length >= FRAME_BYTES_MIN && frame.readInt16BE(0) === produce.key;
}

export function nameOf({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
