import type { Cancel, Host } from '../../host/host.ts';
import { LogError } from '../errors.ts';
import type { LogMetrics } from '../log-metrics.ts';

/**
 * Whether the log takes appends.
 *
 *     opening ──> writing <──> refusing      the disk refused: read-only, tried again every `probeMs`
 *        └───────────┴────────────┴────> closed
 */
type State = 'opening' | 'writing' | 'refusing' | 'closed';

export class AppendGate {
  readonly #host: Host;
  readonly #metrics: LogMetrics;
  readonly #limits: { readonly probeMs: number; readonly unsyncedBytesMax: number };
  readonly #queuedBytes: () => number;
  readonly #resume: () => Promise<boolean>;
  #state: State = 'opening';
  /** Why the disk refuses, while it does. */
  #refusal: string | undefined;
  #cancelProbe: Cancel = () => {};
  #resuming: Promise<boolean> | undefined;
  #room: { promise: Promise<void>; resolve: () => void } | undefined;

  /** `resume` makes the log ready to write and resolves to whether it is; it never rejects. */
  constructor(
    host: Host,
    metrics: LogMetrics,
    limits: { readonly probeMs: number; readonly unsyncedBytesMax: number },
    queuedBytes: () => number,
    resume: () => Promise<boolean>,
  ) {
    this.#host = host;
    this.#metrics = metrics;
    this.#limits = limits;
    this.#queuedBytes = queuedBytes;
    this.#resume = resume;
  }

  get state(): State {
    return this.#state;
  }

  /** Why appends are refused; undefined while they are taken. */
  get storageError(): string | undefined {
    return this.#state === 'writing' ? undefined : (this.#refusal ?? 'cannot append: the log is not open');
  }

  /** @throws LogError KAFKA_STORAGE_ERROR */
  admit(batchBytes: number): void {
    if (this.#state !== 'writing') {
      throw new LogError('KAFKA_STORAGE_ERROR', this.storageError ?? 'cannot append: the log is closed');
    }
    const waiting = this.#queuedBytes();
    const { unsyncedBytesMax } = this.#limits;
    if (waiting + batchBytes > unsyncedBytesMax) {
      const message = `cannot append: got ${waiting} bytes waiting for the disk, want at most ${unsyncedBytesMax}`;
      throw new LogError('KAFKA_STORAGE_ERROR', message);
    }
  }

  /** As `BrokerLog.whenWritable`. */
  whenWritable(): Promise<void> | undefined {
    if (this.#queuedBytes() < this.#limits.unsyncedBytesMax / 2) return undefined;
    if (!this.#room) {
      let resolve = (): void => {};
      const promise = new Promise<void>((done) => {
        resolve = done;
      });
      this.#room = { promise, resolve };
    }
    return this.#room.promise;
  }

  /** Something that waited is durable. */
  committed(): void {
    if (this.#room && this.#queuedBytes() < this.#limits.unsyncedBytesMax / 4) this.#makeRoom();
  }

  /** The log is ready to write, for the first time. */
  open(): void {
    this.#state = 'writing';
  }

  /** The disk refused. */
  refuse(error: LogError): void {
    this.#makeRoom();
    if (this.#state !== 'writing' && this.#state !== 'opening') return;
    this.#state = 'refusing';
    this.#refusal = error.message;
    this.#metrics.storageError('write');
    this.#metrics.readOnly(true);
    this.#host.log.error(
      { error: error.message },
      'the disk refuses writes: the log is read-only until it recovers',
    );
    this.#probe();
  }

  /** Tries to write again after the disk refused. True when it did. */
  resume(): Promise<boolean> {
    this.#resuming ??= this.#tryAgain().finally(() => {
      this.#resuming = undefined;
    });
    return this.#resuming;
  }

  /** Nothing is taken any more. Returns the state before; `resumed` resolves when a resume that runs has ended. */
  close(): { before: State; resumed: Promise<unknown> } {
    const before = this.#state;
    this.#state = 'closed';
    this.#cancelProbe();
    return { before, resumed: this.#resuming ?? Promise.resolve() };
  }

  async #tryAgain(): Promise<boolean> {
    if (this.#state !== 'refusing' || !(await this.#resume())) return false;
    // Closed meanwhile; asked of a function, since the compiler believes that the state is as it was.
    if (!this.#isRefusing()) return false;
    this.#state = 'writing';
    this.#refusal = undefined;
    this.#metrics.readOnly(false);
    this.#host.log.info({}, 'the disk takes writes again: the log accepts appends');
    return true;
  }

  #isRefusing(): boolean {
    return this.#state === 'refusing';
  }

  #probe(): void {
    this.#cancelProbe = this.#host.timers.after(this.#limits.probeMs, () => {
      void this.resume().then((done) => {
        if (!done && this.#state === 'refusing') this.#probe();
      });
    });
  }

  // Also when the log refuses: who waits for room is to hear of it at the next append.
  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}
