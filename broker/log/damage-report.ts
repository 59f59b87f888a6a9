import type { Log } from '../host/log.ts';
import type { LogError } from './errors.ts';
import type { LogMetrics } from './log-metrics.ts';

/** Damaged places remembered as said; beyond, they may be said again. */
const SAID_MAX = 1_000;

/** Tells of stored batches that are not what was written: each time in the counter, once in the log. */
export class DamageReport {
  readonly #log: Log;
  readonly #metrics: LogMetrics;
  readonly #said = new Set<string>();

  constructor(log: Log, metrics: LogMetrics) {
    this.#log = log;
    this.#metrics = metrics;
  }

  found(place: { readonly topic: string; readonly partition: number }, error: LogError): void {
    const { topic, partition } = place;
    this.#metrics.corruptBatch(topic);
    // Readers ask again and again: it is said once.
    if (this.#said.has(error.message)) return;
    if (this.#said.size >= SAID_MAX) this.#said.clear();
    this.#said.add(error.message);
    this.#log.error(
      { topic, partition, error: error.message },
      'a stored batch is damaged: it is not served; what is in front of it and behind it is',
    );
  }
}
