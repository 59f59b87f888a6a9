import type { ListenerSettings } from '../config.ts';
import type { Address, Socket } from '../host/net.ts';
import type { ConnectionAuthentication } from '../security/connection-authentication.ts';
import { WireError } from '../wire/wire-error.ts';
import { Answers, type Held } from './answers.ts';
import type { ConnectionView } from './broker.ts';
import { ConnectionDeadlines } from './connection-deadlines.ts';
import type { Arrival, CloseReason, ConnectionOwner } from './connection-owner.ts';
import { CloseConnection } from './handler.ts';
import { Incoming, isProduce } from './incoming.ts';
import type { MemoryBudget } from './memory-budget.ts';

/** Produce requests of a connection that wait for the disk together; usual clients send 5 ahead. */
const UNANSWERED_MAX = 64;
/**
 * What decoding makes of a byte, in objects, where it is not a view of the frame. Measured on the heap: 2 for lists of
 * numbers, 5 to 6 for partitions of a Fetch, 16 for topics of a Metadata, 22 at worst (names of one letter).
 */
const DECODED_BYTES_PER_BYTE = 8;
/** Requests that wait for memory longer are given up, with their connection. */
const MEMORY_WAIT_MAX_MS = 30_000;
/** First bytes of a TLS hello, read as a length. */
const TLS_HELLO = 0x1603;

/**
 * One client connection: bytes to frames (`Incoming`), frames to answers (`Answers`).
 *
 * One request is worked on at a time and answers leave in the order of the requests, also when a client sends
 * several ahead. Only a Produce may begin while earlier ones wait for the disk: their batches are in the log in the
 * order of the requests, and one fdatasync then serves all of them. What waits is bounded: while a request is worked
 * on, or a slow reader has not taken the last answer, the socket is paused as soon as much has come.
 */
export class Connection implements ConnectionView {
  readonly remote: Address;
  readonly nodeId: number;
  readonly advertised: Address;
  readonly listener: ListenerSettings;
  readonly authentication: ConnectionAuthentication;
  fetchTurn = 0;
  software = { name: '', version: '' };
  private readonly socket: Socket;
  private readonly owner: ConnectionOwner;
  private readonly incoming: Incoming;
  private readonly answers: Answers;
  private readonly deadlines: ConnectionDeadlines;
  private readonly abort = new AbortController();
  private working = false;
  /** Steady time until which a client that was over a quota is not heard (KIP-219). */
  private mutedUntilMs = -Infinity;
  private draining = false;
  private endReason: CloseReason = 'shutdown';
  private isClosed = false;

  constructor(socket: Socket, arrival: Arrival, owner: ConnectionOwner) {
    const { nodeId, listener, advertised, authentication } = arrival;
    this.socket = socket;
    this.remote = socket.remote;
    this.nodeId = nodeId;
    this.listener = listener;
    this.advertised = advertised;
    this.authentication = authentication;
    this.owner = owner;
    this.deadlines = new ConnectionDeadlines(owner, owner.clock.monotonicMs());
    this.incoming = new Incoming(socket, owner);
    this.answers = new Answers(socket, owner, this.deadlines, {
      isClosed: () => this.isClosed,
      fail: (error) => this.fail(error),
      answered: () => this.closeIfDone(),
    });
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

  /** Why it has to go by now, undefined when it may stay. */
  overdue(nowMs: number, idleMs: number): CloseReason | undefined {
    return this.deadlines.overdue(nowMs, idleMs, {
      isStranger: !this.authentication.isSettled,
      isSending: this.answers.isSending,
      isServed: this.working || this.answers.unanswered > 0,
      bufferedBytes: this.incoming.bufferedBytes,
    });
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
    this.deadlines.activeMs = this.owner.clock.monotonicMs();
    if (!this.incoming.push(chunk)) {
      this.say('half-received requests of all connections exceed the limit');
      this.close('memory');
    } else if (this.working) {
      this.incoming.holdBack();
    } else {
      void this.work();
    }
  }

  private drain(): void {
    this.deadlines.activeMs = this.owner.clock.monotonicMs();
    this.answers.drained();
  }

  private async work(): Promise<void> {
    const { incoming, answers, deadlines, authentication, owner } = this;
    this.working = true;
    try {
      for (let frame = incoming.next(authentication); frame; frame = incoming.next(authentication)) {
        deadlines.received();
        if (answers.unanswered > 0 && !(isProduce(frame) && answers.unanswered < UNANSWERED_MAX)) {
          await answers.all;
          if (this.isClosed || this.draining) return;
        }
        if (this.mutedUntilMs > owner.clock.monotonicMs()) await this.unmuted();
        if (this.isClosed || this.draining) return;
        const held: Held = { request: heldBy(frame), answer: 0, sent: [] };
        if (!(await this.hold(owner.requestMemory, held.request))) return;
        await this.serve(frame, held);
        if (this.isClosed || this.draining) return;
      }
    } catch (error) {
      await answers.all;
      this.fail(error);
    } finally {
      this.working = false;
      // What came while a request was worked on waited for the broker, not the other way round.
      if (incoming.bufferedBytes > 0) deadlines.receiving(owner.clock.monotonicMs());
      if (!this.isClosed) incoming.resume();
      this.closeIfDone();
    }
  }

  /** Resolves when the next request may begin: this one is answered, or in its place in the log. */
  private serve(frame: Buffer, held: Held): Promise<void> {
    // What is not given back is left to the garbage collector.
    let isLent = isProduce(frame);
    const accepted = Promise.withResolvers<void>();
    const answer = this.owner.dispatch(frame, this, {
      accepted: (isDone) => {
        accepted.resolve();
        if (isDone && isLent) this.incoming.giveBack(frame);
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
    this.answers.add(answer, held);
    return Promise.race([accepted.promise, this.answers.all]);
  }

  private closeIfDone(): void {
    if (this.draining && !this.working && this.answers.unanswered === 0) this.close(this.endReason);
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

  private fail(error: unknown): void {
    if (this.isClosed) return;
    if (error instanceof WireError || error instanceof CloseConnection) {
      this.say(explain(error));
      this.close('protocol');
      return;
    }
    this.owner.log.error({ remote: nameOf(this.remote), err: error }, 'connection closed: internal error');
    this.close('internal');
  }

  private say(reason: string): void {
    this.owner.log.warn({ remote: nameOf(this.remote) }, `connection closed: ${reason}`);
  }

  private gone(reason: CloseReason): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.incoming.forget();
    this.abort.abort();
    this.drain();
    this.owner.closed(this, reason);
  }
}

/** What a request will hold: the frame itself, and what decoding makes of all that is no view of it. */
function heldBy(frame: Buffer): number {
  return isProduce(frame) ? frame.length : frame.length * (1 + DECODED_BYTES_PER_BYTE);
}

function explain(error: Error): string {
  const length = /length of (-?\d+)/.exec(error.message);
  if (length && Number(length[1]) >>> 16 === TLS_HELLO) {
    return 'got a TLS hello on a plaintext listener';
  }
  return error.message;
}

export function nameOf({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
