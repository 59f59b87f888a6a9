import type { Counter, Gauge, Metrics } from '../host/metrics.ts';
import type { Delivery } from './delivery.ts';
import { recordsInFlight } from './share-partition.ts';

export type RecordOutcome =
  | 'acquired'
  | 'redelivered'
  | 'accepted'
  | 'released'
  | 'timed_out'
  | 'archived'
  | 'renewed';
export type LetterOutcome = 'written' | 'failed' | 'refused';

/** What share groups do with records, by group and topic: both are as few as an administrator makes them. */
export class ShareMetrics {
  private readonly records: Counter;
  private readonly letters: Counter;
  private readonly inFlight: Gauge;

  constructor(metrics: Metrics, deliveries: () => Iterable<Delivery>) {
    this.records = metrics.counter(
      'millrace_share_records_total',
      'Records of share groups by what became of them; redelivered ones are among the acquired.',
    );
    this.letters = metrics.counter(
      'millrace_share_dead_letters_total',
      'Records given up by share groups that have a dead-letter topic: written, failed (tried again), or refused by the settings.',
    );
    this.inFlight = metrics.gauge(
      'millrace_share_in_flight_records',
      'Records handed out or about to be again, and not done with.',
    );
    metrics.onCollect(() => {
      this.inFlight.reset();
      const sums = new Map<string, { group: string; topic: string; records: number }>();
      for (const { key, log, partition } of deliveries()) {
        const name = JSON.stringify([key.groupId, log.topic]);
        const sum = sums.get(name) ?? { group: key.groupId, topic: log.topic, records: 0 };
        sum.records += recordsInFlight(partition);
        sums.set(name, sum);
      }
      for (const { group, topic, records } of sums.values()) this.inFlight.set(records, { group, topic });
    });
  }

  count({ key, log }: Delivery, outcome: RecordOutcome, records: number): void {
    if (records > 0) this.records.add(records, { group: key.groupId, topic: log.topic, outcome });
  }

  countLetters({ key, log }: Delivery, outcome: LetterOutcome, records: number): void {
    if (records > 0) this.letters.add(records, { group: key.groupId, topic: log.topic, outcome });
  }
}
