import { Worker } from 'node:worker_threads';

import { type Captured, SHARED, sizeOf, type ToWorker } from './captured.ts';
import { say } from './say.ts';
import type { Settings } from './settings.ts';

/** Records wait this long for company before they go to the worker: what a death by signal can lose. */
const HAND_OVER_MS = 20;

/**
 * The application's side of the agent: keeps records, hands them to the worker thread, drops and counts what
 * exceeds the bound. Everything that costs (parsing, serialising, sending) happens in the worker, whose
 * event loop also runs while the application's is blocked or ending.
 */
export class Queue {
  private readonly settings: Settings;
  private readonly shared = new Int32Array(new SharedArrayBuffer(4 * SHARED.slots));
  private records: Captured[] = [];
  private bytes = 0;
  /** Bytes handed over; wraps with `SHARED.doneBytes`, so that their difference is what the worker holds. */
  private handed = 0;
  private held = 0;
  private timer: NodeJS.Timeout | undefined;
  private reportTimer: NodeJS.Timeout | undefined;
  private worker: Worker | undefined;
  private failed = false;
  private exiting = false;
  private turn = 0;
  private dropped = 0;

  constructor(settings: Settings) {
    this.settings = settings;
  }

  /** The log call's part. Never throws, never waits, except behind the end of the process. */
  push(record: Captured): void {
    const size = sizeOf(record);
    if (this.failed || this.bytes + this.held + size > this.settings.queueBytesMax) {
      this.drop(1);
      return;
    }
    this.records.push(record);
    this.bytes += size;
    if (this.exiting) this.drain();
    else this.timer ??= setTimeout(() => this.handOver(), HAND_OVER_MS).unref();
  }

  /**
   * The end of the process: waits, blocked, until the worker has sent everything or the time is up. What
   * later `exit` listeners of the application log is sent one by one.
   */
  drain(): void {
    this.exiting = true;
    if (this.records.length === 0 && this.worker === undefined) return;
    this.handOver();
    if (this.worker !== undefined) {
      this.turn += 1;
      const budgetMs = this.settings.exitTimeoutMs;
      this.worker.postMessage({ type: 'drain', turn: this.turn, budgetMs } satisfies ToWorker);
      const result = Atomics.wait(this.shared, SHARED.drained, this.turn - 1, budgetMs);
      if (result === 'timed-out') {
        say(`the collector did not answer within ${budgetMs} ms: the last records may be lost`);
        // Later lines would each wait again.
        this.failed = true;
      }
    }
    this.report();
  }

  private handOver(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = undefined;
    this.held = (this.handed - Atomics.load(this.shared, SHARED.doneBytes)) | 0;
    if (this.records.length === 0) return;
    const { records, bytes } = this;
    this.records = [];
    this.bytes = 0;
    try {
      this.worker ??= this.startWorker();
      this.worker.postMessage({ type: 'records', records, bytes } satisfies ToWorker);
      this.handed = (this.handed + bytes) | 0;
      this.held += bytes;
    } catch (error) {
      this.fail(error, records.length);
      return;
    }
    // While the worker holds much, look again: a full queue must notice when there is room.
    if (!this.exiting && this.held > this.settings.queueBytesMax / 2) this.lookAgain();
  }

  private lookAgain(): void {
    this.timer ??= setTimeout(() => {
      this.handOver();
      if (this.timer === undefined && this.held > this.settings.queueBytesMax / 2) this.lookAgain();
    }, HAND_OVER_MS).unref();
  }

  private startWorker(): Worker {
    // Without the application's flags and NODE_OPTIONS: they would load this agent again, and others.
    const worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: { settings: this.settings, shared: this.shared },
      execArgv: [],
      env: { NODE_EXTRA_CA_CERTS: process.env['NODE_EXTRA_CA_CERTS'] },
      name: 'millrace-agent',
    });
    worker.unref();
    worker.on('error', (error) => this.fail(error, 0));
    return worker;
  }

  /** Shipping is over for this process; the application goes on as if the agent were not there. */
  private fail(error: unknown, lost: number): void {
    if (!this.failed) say(`cannot run its worker thread, logs are no longer shipped: ${String(error)}`);
    this.failed = true;
    this.worker = undefined;
    if (lost > 0) this.drop(lost);
  }

  private drop(count: number): void {
    this.dropped += count;
    if (this.exiting) return;
    this.reportTimer ??= setTimeout(() => this.report(), this.settings.reportIntervalMs).unref();
  }

  private report(): void {
    if (this.reportTimer) clearTimeout(this.reportTimer);
    this.reportTimer = undefined;
    if (this.dropped === 0) return;
    const reason = this.failed
      ? 'the agent has stopped'
      : `more than ${this.settings.queueBytesMax} bytes wait for ${this.settings.url}`;
    say(`dropped ${this.dropped} log records: ${reason}`);
    this.dropped = 0;
  }
}
