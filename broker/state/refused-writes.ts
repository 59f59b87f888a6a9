import type { Host } from '../host/host.ts';

/** Every write of an outage is refused, hundreds in a second: the first is said, the others are counted, and so is its end. */
export class RefusedWrites {
  readonly #log: Host['log'];
  readonly #topic: string;
  readonly #counter;
  /** Since the last that was taken. */
  #count = 0;

  constructor({ log, metrics }: Pick<Host, 'log' | 'metrics'>, topic: string) {
    this.#log = log;
    this.#topic = topic;
    this.#counter = metrics.counter(
      'millrace_broker_coordinator_refused_writes_total',
      'Records of coordinators that the log refused to store, by topic; each is tried again by whoever asked.',
    );
  }

  refused(error: unknown): void {
    this.#counter.add(1, { topic: this.#topic });
    this.#count += 1;
    if (this.#count > 1) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#log.warn({ topic: this.#topic, reason }, `cannot write to ${this.#topic}; said once until it can`);
  }

  taken(): void {
    if (this.#count === 0) return;
    this.#log.info({ topic: this.#topic, refused: this.#count }, `writes to ${this.#topic} again`);
    this.#count = 0;
  }
}
