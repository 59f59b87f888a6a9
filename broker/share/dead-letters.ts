/**
 * Writes dead letters (KIP-1191). The letters and the record that says "archived" are appended in one turn, the letters
 * first: no crash keeps the second without them. A crash between may leave letters whose records are archived once
 * more, and written twice.
 *
 * Where the disk refuses, it is tried again. Where the settings do (no such topic, one that does not allow it), the
 * records are archived without letters, as Kafka does: waiting for an administrator would stop the group. Counted,
 * and told in the log; the records themselves stand in their topic.
 */
import type { Host } from '../host/host.ts';
import { LogError } from '../log/errors.ts';
import type { BrokerLog, PartitionLog } from '../log/log.ts';
import { CODE } from '../wire/errors.ts';
import { batchedLetters, lettersOf } from './dead-letter.ts';
import type { Delivery } from './delivery.ts';
import { recordsIn } from './run.ts';
import { deadLettered } from './settle.ts';
import type { ArchivingRange, OffsetRange, ShareStep } from './share-partition.ts';
import { RefusedWrites } from '../state/refused-writes.ts';
import type { ShareMetrics } from './share-metrics.ts';
import type { ShareConfig, ShareSettings } from './share-settings.ts';

/** A topic has to allow that share groups write to it. */
export const ENABLE_CONFIG = 'errors.deadletterqueue.group.enable';
const BATCH_BYTES_MAX = 1_000_000;
/** Letters of one attempt; with copies, they are in memory together. */
const RECORDS_MAX = 100;

type Apply = (step: ShareStep) => Promise<number>;

export class DeadLetters {
  private readonly config: ShareConfig;
  private readonly host: Host;
  private readonly log: BrokerLog;
  private readonly metrics: ShareMetrics;
  private readonly refusals: RefusedWrites;
  private readonly createTopic: (name: string, configs: Readonly<Record<string, string>>) => Promise<unknown>;

  constructor(
    config: ShareConfig,
    host: Host,
    log: BrokerLog,
    metrics: ShareMetrics,
    createTopic: (name: string, configs: Readonly<Record<string, string>>) => Promise<unknown>,
  ) {
    this.config = config;
    this.host = host;
    this.log = log;
    this.metrics = metrics;
    this.refusals = new RefusedWrites(host, 'dead letters');
    this.createTopic = createTopic;
  }

  /** Writes the first of the ranges; true when they are archived. @throws LogError */
  async write(
    delivery: Delivery,
    settings: ShareSettings,
    all: readonly ArchivingRange[],
    apply: Apply,
  ): Promise<boolean> {
    const ranges = firstOf(all, RECORDS_MAX);
    const target = await this.target(delivery, settings.deadLetterTopic);
    if (!target) {
      this.metrics.countLetters(delivery, 'refused', count(ranges));
      return (await apply(deadLettered(delivery.partition, ranges))) === CODE.NONE;
    }
    const letters = await lettersOf(
      { log: delivery.log, groupId: delivery.key.groupId },
      ranges,
      settings.copiesRecords,
    );
    if (delivery.isGone) return true;
    const nowMs = this.host.clock.nowMs();
    const written: Array<Promise<void>> = [];
    try {
      for (const { batch } of batchedLetters(letters, this.batchBytesMax(target), nowMs)) {
        written.push(target.append(batch, { nowMs, origin: 'coordinator' }).durable);
      }
    } catch (error) {
      await Promise.allSettled(written);
      if (!(error instanceof LogError)) throw error;
      if (error.retriable) return this.failed(delivery, ranges, error);
      this.refused(delivery, error.message);
      this.metrics.countLetters(delivery, 'refused', count(ranges));
      return (await apply(deadLettered(delivery.partition, ranges))) === CODE.NONE;
    }
    // Appended in the turn of the letters, behind them.
    const archived = apply(deadLettered(delivery.partition, ranges));
    const outcomes = await Promise.allSettled([...written, archived]);
    const failure = outcomes.find(({ status }) => status === 'rejected');
    if (failure?.status === 'rejected') return this.failed(delivery, ranges, failure.reason);
    this.refusals.taken();
    this.metrics.countLetters(delivery, 'written', letters.length);
    return (await archived) === CODE.NONE;
  }

  private batchBytesMax({ topic }: PartitionLog): number {
    const own = Number(this.log.topic(topic)?.configs['max.message.bytes'] ?? BATCH_BYTES_MAX);
    return Math.min(own, BATCH_BYTES_MAX);
  }

  /** The partition that takes the letters; undefined when there is none that may. */
  private async target(delivery: Delivery, name: string): Promise<PartitionLog | undefined> {
    const { deadLetterTopicPrefix: prefix, deadLetterAutoCreateTopics } = this.config;
    if (name === '' || name.startsWith('__') || !name.startsWith(prefix)) {
      return this.refused(delivery, `got topic '${name}', want one that begins with ${prefix}`);
    }
    if (!this.log.topic(name)) {
      if (!deadLetterAutoCreateTopics) return this.refused(delivery, `there is no topic ${name}`);
      await this.createTopic(name, { [ENABLE_CONFIG]: 'true', 'message.timestamp.type': 'CreateTime' });
    }
    const topic = this.log.topic(name);
    if (topic?.configs[ENABLE_CONFIG] !== 'true') {
      return this.refused(delivery, `topic ${name} does not have ${ENABLE_CONFIG}=true`);
    }
    return topic.partitions[delivery.key.partition % topic.partitions.length];
  }

  private refused({ key, log }: Delivery, why: string): undefined {
    const where = { group: key.groupId, topic: log.topic, partition: key.partition };
    this.host.log.warn(where, `cannot write dead letters: ${why}; the records are archived without`);
  }

  private failed(delivery: Delivery, ranges: readonly OffsetRange[], error: unknown): false {
    this.metrics.countLetters(delivery, 'failed', count(ranges));
    this.refusals.refused(error);
    return false;
  }
}

function firstOf(ranges: readonly ArchivingRange[], recordsMax: number): ArchivingRange[] {
  const some: ArchivingRange[] = [];
  let left = recordsMax;
  for (const range of ranges) {
    if (left <= 0) break;
    const taken = { ...range, last: Math.min(range.last, range.first + left - 1) };
    some.push(taken);
    left -= recordsIn(taken);
  }
  return some;
}

function count(ranges: readonly OffsetRange[]): number {
  return ranges.reduce((sum, range) => sum + recordsIn(range), 0);
}
