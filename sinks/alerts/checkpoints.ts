import type { Producer } from '../../broker/client/port.ts';
import type { Host } from '../../broker/host/host.ts';
import { ALERTS_TOPIC } from '../../broker/records/topics.ts';
import type { AlertMetrics } from './metrics.ts';
import { untilDone } from './retry.ts';
import { messageOf } from './rule-file.ts';
import { batchesOf } from './state-topic.ts';
import { type StateEntry, StateWriter } from './state-writer.ts';

/** Writes to the state topic, one at a time. What an entry says is looked up when its write begins. */
export class Checkpoints {
  private readonly entries: () => StateEntry[];
  private readonly host: Host;
  private readonly metrics: AlertMetrics;
  private readonly signal: AbortSignal;
  private readonly writer = new StateWriter();
  private producer: Producer | undefined;
  private lastMs = -Infinity;
  private writing: Promise<void> | undefined;
  private queued: Promise<void> | undefined;
  private isDirty = false;

  constructor(entries: () => StateEntry[], host: Host, metrics: AlertMetrics, signal: AbortSignal) {
    this.entries = entries;
    this.host = host;
    this.metrics = metrics;
    this.signal = signal;
  }

  /** Where to write, and the keys that an earlier run left there. No write succeeds before. */
  open(producer: Producer, keys: Iterable<string>): void {
    this.producer = producer;
    this.writer.remember(keys);
  }

  /** Something is not stored yet. */
  touch(): void {
    this.isDirty = true;
  }

  isDue(intervalMs: number): boolean {
    return this.isDirty && this.host.clock.nowMs() - this.lastMs >= intervalMs;
  }

  /** Stores the state; calls that come while one is under way share the next. Retries until it is durable. */
  store(): Promise<void> {
    if (!this.writing) {
      const write = (): Promise<void> => this.write();
      this.writing = untilDone('store the state of the alerts', write, this.host, this.signal).then(() => {
        this.writing = undefined;
      });
      return this.writing;
    }
    this.queued ??= this.writing.then(() => {
      this.queued = undefined;
      return this.store();
    });
    return this.queued;
  }

  /** One last attempt without retries: the broker may be on its way out too. None when never opened. */
  async close(): Promise<void> {
    await this.writing;
    if (!this.producer) return;
    await this.write().catch((error: unknown) => {
      this.host.log.warn(
        { reason: messageOf(error) },
        'cannot store the last state: the next start judges again what came since the one before',
      );
    });
  }

  private async write(): Promise<void> {
    this.isDirty = false;
    const { records, done } = this.writer.changes(this.entries());
    try {
      // One send to one partition is one batch: it is there as a whole or not at all.
      for (const batch of batchesOf(records)) await this.producer!.send(ALERTS_TOPIC, batch);
    } catch (error) {
      this.isDirty = true;
      throw error;
    }
    done();
    this.lastMs = this.host.clock.nowMs();
    this.metrics.checkpoints.add(1);
  }
}
