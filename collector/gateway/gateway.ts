import { KafkaError } from '../../broker/client/error.ts';
import type { Producer } from '../../broker/client/port.ts';
import type { Host } from '../../broker/host/host.ts';
import { walkRequest } from '../../broker/records/otlp/walk.ts';
import { type Signal, SIGNAL_TOPICS } from '../../broker/records/topics.ts';
import { type Batch, batchOf, type Sender } from './batch.ts';
import { Lane } from './lane.ts';
import { Refusal } from './refusal.ts';
import { ServiceMeter } from './service-meter.ts';

export interface GatewayOptions {
  /** Bound on the bytes of requests between acceptance and answer: what a slow broker may cost in memory. */
  readonly inFlightBytesMax: number;
  /** How long the first record of an idle lane waits for company. */
  readonly lingerMs: number;
}

export interface Accepted {
  /** Records that are durable now. */
  readonly accepted: number;
  /** Records that cannot be stored, ever; with the reason, for the sender. */
  readonly rejected: number;
  readonly reason: string;
}

/** Sends in flight per topic; a key always takes the same lane. */
const LANES = 4;

/**
 * Where every input hands its requests to the log: checks them, cuts them into records by key, and answers when
 * the last record is durable. Refuses what it cannot take now instead of queueing without bound; once the broker
 * is known to be away, one request at a time tries whether it is back and the others are refused at once.
 */
export class Gateway {
  private readonly host: Host;
  private readonly options: GatewayOptions;
  private readonly lanes: ReadonlyMap<Signal, readonly Lane[]>;
  private readonly counters: ReturnType<typeof countersOf>;
  private readonly services: ServiceMeter;
  private readonly idle: Array<() => void> = [];
  private inFlightBytes = 0;
  private inFlightRequests = 0;
  private brokerAway = false;
  private topicsReady = false;
  private nextLane = 0;

  constructor(producer: Producer, host: Host, options: GatewayOptions) {
    this.host = host;
    this.options = options;
    this.lanes = new Map(
      (Object.keys(SIGNAL_TOPICS) as Signal[]).map((signal) => [
        signal,
        Array.from(
          { length: LANES },
          () => new Lane(SIGNAL_TOPICS[signal], producer, host.timers, options.lingerMs),
        ),
      ]),
    );
    this.counters = countersOf(host);
    this.services = new ServiceMeter(host.metrics);
    const inFlight = host.metrics.gauge(
      'millrace_collector_in_flight_bytes',
      'Bytes of requests between acceptance and answer.',
    );
    host.metrics.onCollect(() => inFlight.set(this.inFlightBytes));
  }

  /** Whether a request sent now has a chance. */
  get ready(): boolean {
    return this.topicsReady && !this.brokerAway;
  }

  /** The topics are there; until then everything is refused, lest the broker creates them its own way. */
  setTopicsReady(ready: boolean): void {
    this.topicsReady = ready;
  }

  /**
   * Takes one export request in protobuf.
   * @throws Refusal when it should come again later, OtlpError when it is malformed
   */
  async submit(signal: Signal, bytes: Buffer, sender?: Sender): Promise<Accepted> {
    if (!this.topicsReady) throw new Refusal('broker_away', 'the topics are not there yet', 1);
    if (this.brokerAway && this.inFlightRequests > 0) {
      throw new Refusal('broker_away', 'the broker does not answer', 2);
    }
    if (this.inFlightBytes + bytes.length > this.options.inFlightBytesMax) {
      throw new Refusal('overload', 'too many bytes are waiting for the broker', 1);
    }
    this.inFlightBytes += bytes.length;
    this.inFlightRequests += 1;
    try {
      const walk = walkRequest(signal, bytes);
      const batch = batchOf(signal, bytes, walk, sender);
      await this.produce(signal, batch);
      const accepted = walk.count - batch.rejected;
      this.counters.acceptedRecords.add(accepted, { signal });
      this.counters.acceptedBytes.add(bytes.length, { signal });
      this.services.accepted(signal, walk);
      if (batch.truncated > 0) this.counters.truncated.add(batch.truncated, { signal });
      if (batch.rejected > 0) this.counters.rejected.add(batch.rejected, { reason: 'too_large' });
      const reason = batch.rejected > 0 ? 'a single record exceeds the size of a Kafka record' : '';
      return { accepted, rejected: batch.rejected, reason };
    } finally {
      this.inFlightBytes -= bytes.length;
      this.inFlightRequests -= 1;
      if (this.inFlightRequests === 0) for (const resolve of this.idle.splice(0)) resolve();
    }
  }

  /** Resolves when nothing is in flight any more, or after the deadline. */
  async drain(deadlineMs: number): Promise<void> {
    if (this.inFlightRequests === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = this.host.timers.after(deadlineMs, resolve);
      this.idle.push(() => {
        cancel();
        resolve();
      });
    });
  }

  private async produce(signal: Signal, batch: Batch): Promise<void> {
    const lanes = this.lanes.get(signal)!;
    const appended = batch.records.map((record) => lanes[this.laneOf(record.key)]!.append(record));
    const outcomes = await Promise.allSettled(appended);
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (!failed) {
      if (batch.records.length > 0 && this.brokerAway) {
        this.brokerAway = false;
        this.host.log.info({}, 'the broker takes records again');
      }
      return;
    }
    const reason = failed.reason as Error;
    // What the broker refuses for itself (a record over its limit, a missing right) says nothing about the others.
    // One that does not let us in refuses everything, until somebody mends it.
    const own =
      reason instanceof KafkaError && !reason.retriable && reason.code !== 'SASL_AUTHENTICATION_FAILED';
    if (own) this.host.log.warn({ signal, reason: reason.message }, 'the broker refused records');
    else if (!this.brokerAway) {
      this.brokerAway = true;
      this.host.log.warn({ reason: reason.message }, 'the broker takes no records; senders are told to wait');
    }
    if (reason instanceof KafkaError && reason.code === 'UNKNOWN_TOPIC_OR_PARTITION') this.onTopicMissing();
    throw new Refusal('broker_away', 'the broker did not store all records', 2);
  }

  /** Replaced by the part: creates the topics anew. */
  onTopicMissing: () => void = () => undefined;

  private laneOf(key: Buffer | null): number {
    if (!key) return (this.nextLane = (this.nextLane + 1) % LANES);
    let hash = 0;
    for (const byte of key) hash = (Math.imul(hash, 31) + byte) | 0;
    return (hash >>> 0) % LANES;
  }
}

function countersOf({ metrics }: Host): {
  acceptedRecords: ReturnType<typeof metrics.counter>;
  acceptedBytes: ReturnType<typeof metrics.counter>;
  rejected: ReturnType<typeof metrics.counter>;
  truncated: ReturnType<typeof metrics.counter>;
} {
  return {
    acceptedRecords: metrics.counter(
      'millrace_collector_accepted_records_total',
      'Log records, data points and spans that are durable in the broker.',
    ),
    acceptedBytes: metrics.counter(
      'millrace_collector_accepted_bytes_total',
      'Bytes of accepted requests, as protobuf.',
    ),
    rejected: metrics.counter(
      'millrace_collector_rejected_records_total',
      'Records that cannot be stored; the sender was told.',
    ),
    truncated: metrics.counter(
      'millrace_collector_truncated_records_total',
      'Log records that were cut to fit into a Kafka record, and marked.',
    ),
  };
}
