import type { Socket } from '../host/net.ts';
import type { ConnectionDeadlines } from './connection-deadlines.ts';
import type { ConnectionOwner } from './connection-owner.ts';

/** What a request keeps from others until it is answered. */
export interface Held {
  readonly request: number;
  answer: number;
  /** Called when the answer has left, or never will. */
  readonly sent: Array<() => void>;
}

/** What is asked of the connection. */
interface AnswersOwner {
  readonly isClosed: () => boolean;
  readonly fail: (error: unknown) => void;
  /** One request less is unanswered. */
  readonly answered: () => void;
}

/** The answers of one connection, in the order of the requests, as fast as its reader takes them. */
export class Answers {
  /** Requests whose answer has not left. */
  unanswered = 0;
  /** Resolves when the answers to all requests so far have left; never rejects. */
  all: Promise<void> = Promise.resolve();
  private readonly socket: Socket;
  private readonly server: ConnectionOwner;
  private readonly deadlines: ConnectionDeadlines;
  private readonly owner: AnswersOwner;
  private onDrain: (() => void) | undefined;

  constructor(socket: Socket, server: ConnectionOwner, deadlines: ConnectionDeadlines, owner: AnswersOwner) {
    this.socket = socket;
    this.server = server;
    this.deadlines = deadlines;
    this.owner = owner;
  }

  /** True while the reader has not taken the last answer. */
  get isSending(): boolean {
    return this.onDrain !== undefined;
  }

  add(answer: Promise<Buffer[] | undefined>, held: Held): void {
    this.all = this.send(answer, this.all, held);
  }

  /** The reader has taken what was written, or is gone. */
  drained(): void {
    const resume = this.onDrain;
    this.onDrain = undefined;
    resume?.();
  }

  /**
   * Sends an answer after those before it; one that fails closes the connection, also after those. It is no turn
   * (`Turns`): it is worked out while those before are sent, and may fail meanwhile.
   */
  private async send(
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
      if (this.owner.isClosed()) return;
      if (outcome.status === 'rejected') return this.owner.fail(outcome.reason);
      this.deadlines.activeMs = this.server.clock.monotonicMs();
      if (!outcome.value) return;
      isWritten = true;
      if (!this.socket.write(outcome.value, sent)) await this.untilDrained(outcome.value);
    } finally {
      if (!isWritten) sent();
      this.server.requestMemory.give(held.request);
      this.server.answerMemory.give(held.answer);
      this.unanswered -= 1;
      this.owner.answered();
    }
  }

  private untilDrained(chunks: readonly Buffer[]): Promise<void> {
    this.deadlines.sending(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    return new Promise((resolve) => {
      this.onDrain = resolve;
    });
  }
}
