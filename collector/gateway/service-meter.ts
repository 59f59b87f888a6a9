import type { Metrics } from '../../broker/host/metrics.ts';
import type { Walk } from '../../broker/records/otlp/walk.ts';
import { type Signal, SIGNAL_TOPICS } from '../../broker/records/topics.ts';

/** Senders choose the names of services: the first ones get series of their own, all others share one. */
const SERVICES_MAX = 200;
const NAME_LENGTH_MAX = 100;
const NONE = '(none)';
const OTHERS = '(others)';

/**
 * What each service sends into each topic. The broker does not know: it opens no payload. What of it is still kept, and
 * how much room it takes there, nobody knows: services share batches, which are compressed as a whole.
 */
export class ServiceMeter {
  readonly #records;
  readonly #bytes;
  readonly #known = new Set<string>();

  constructor(metrics: Metrics) {
    this.#records = metrics.counter(
      'millrace_collector_service_records_total',
      'Records of requests that are durable, by topic and service; the first 200 services by name.',
    );
    this.#bytes = metrics.counter(
      'millrace_collector_service_bytes_total',
      'Bytes of these, as protobuf, before compression.',
    );
  }

  /** The request is durable. */
  accepted(signal: Signal, { groups }: Walk): void {
    const topic = SIGNAL_TOPICS[signal];
    for (const { serviceName, count, start, end } of groups) {
      if (count === 0) continue;
      const labels = { topic, service: this.#labelOf(serviceName) };
      this.#records.add(count, labels);
      this.#bytes.add(end - start, labels);
    }
  }

  #labelOf(name: string): string {
    if (name === '') return NONE;
    if (this.#known.has(name)) return name;
    if (this.#known.size >= SERVICES_MAX || name.length > NAME_LENGTH_MAX) return OTHERS;
    this.#known.add(name);
    return name;
  }
}
