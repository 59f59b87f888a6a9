import type { Log } from '../../host/log.ts';
import type { Metrics } from '../../host/metrics.ts';
import type { LogMetrics } from '../log-metrics.ts';
import type { Partition } from '../partition/partition.ts';
import { judgeRetention } from './retention.ts';

/** Where readers have got to. The log knows no groups: the server tells it. */
export interface ReaderPositions {
  /** The next offset that the group will read; -1 when it has committed none; undefined while that is not known yet. */
  positionOf(
    group: string,
    place: { readonly topic: string; readonly topicId: string; readonly partition: number },
  ): number | undefined;
}

export const UNKNOWN_POSITIONS: ReaderPositions = { positionOf: () => undefined };

/**
 * What retention leaves for the groups in `retention.hold.groups`.
 *
 * A group without a position, or whose position is not known yet, holds everything. The bounds on the disk, and on a
 * partition in `retention.hold.bytes`, are kept all the same: what they take is told and counted.
 */
export class Holding {
  positions = UNKNOWN_POSITIONS;
  readonly #log: Log;
  readonly #metrics: LogMetrics;
  /** Topics and groups of which the log has said that retention waits. */
  #told = new Set<string>();

  constructor(log: Log, metrics: LogMetrics) {
    this.#log = log;
    this.#metrics = metrics;
  }

  /** Up to where retention may go: the first offset that a named group has not read, Infinity when they have all. */
  heldFrom(partition: Partition): number {
    let from = Number.POSITIVE_INFINITY;
    for (const group of partition.settings.holdGroups) {
      const position = this.#positionOf(group, partition);
      if (position < partition.highWatermark) from = Math.min(from, position);
    }
    return from;
  }

  /** Says and counts what groups lose by a new start of the log; called before it moves. */
  losing(partition: Partition, nextStart: number): void {
    const { topic, partition: number, startOffset } = partition;
    for (const group of partition.settings.holdGroups) {
      const from = Math.max(this.#positionOf(group, partition), startOffset);
      if (from >= nextStart) continue;
      const bytes = partition.availableBytes(from, Number.POSITIVE_INFINITY, nextStart);
      this.#metrics.unreadDeleted({ topic, group }, bytes);
      this.#log.warn(
        { group, topic, partition: number, fromOffset: from, toOffset: nextStart, bytes },
        'deletes records that the group has not read: the bound on the disk or on what is held is reached',
      );
    }
  }

  /** Says once for whom retention waits, and anew when it has not waited in between. */
  tell(partitions: readonly Partition[], nowMs: number): void {
    const told = new Set<string>();
    for (const [{ topic, group }] of this.held(partitions, nowMs)) {
      const key = `${topic} ${group}`;
      if (!told.has(key) && !this.#told.has(key)) {
        const knowsIt = partitions.some((one) => one.topic === topic && this.#positionOf(group, one) > 0);
        const message = 'retention waits for a group that has not read what is past its time or size';
        if (knowsIt) this.#log.info({ topic, group }, message);
        else this.#log.warn({ topic, group }, `${message}: it has committed nothing in this topic`);
      }
      told.add(key);
    }
    this.#told = told;
  }

  /** Bytes that would be gone but for a group, by topic, group and partition. */
  *held(
    partitions: readonly Partition[],
    nowMs: number,
  ): Generator<[labels: { topic: string; group: string }, bytes: number]> {
    for (const partition of partitions) {
      const { settings, segments, topic } = partition;
      if (settings.holdGroups.length === 0) continue;
      const facts = segments.map((segment) => segment.facts());
      const { expired, rollActive } = judgeRetention(facts, settings, nowMs);
      const past = rollActive ? segments.length : expired;
      for (const group of settings.holdGroups) {
        const position = this.#positionOf(group, partition);
        let bytes = 0;
        for (let i = past - 1; i >= 0; i--) {
          if ((segments[i + 1]?.base ?? partition.highWatermark) > position) bytes += segments[i]!.bytes;
        }
        if (bytes > 0) yield [{ topic, group }, bytes];
      }
    }
  }

  /** Computed at each reading. */
  report(metrics: Metrics, partitions: () => readonly Partition[], nowMs: () => number): void {
    const gauge = metrics.gauge(
      'millrace_broker_retention_held_bytes',
      'Bytes past their retention that are kept because the group has not read them.',
    );
    metrics.onCollect(() => {
      gauge.reset();
      const sums = new Map<string, { labels: { topic: string; group: string }; bytes: number }>();
      for (const [labels, bytes] of this.held(partitions(), nowMs())) {
        const key = `${labels.topic} ${labels.group}`;
        sums.set(key, { labels, bytes: bytes + (sums.get(key)?.bytes ?? 0) });
      }
      for (const { labels, bytes } of sums.values()) gauge.set(bytes, labels);
    });
  }

  #positionOf(group: string, partition: Partition): number {
    return Math.max(0, this.positions.positionOf(group, partition) ?? 0);
  }
}
