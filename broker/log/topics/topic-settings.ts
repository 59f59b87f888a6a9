import type { CompactionSettings } from '../compaction/cleanable.ts';
import { CODECS } from '../../records/codecs.ts';
import type { LogConfig } from '../config.ts';

/** A topic's settings as the log uses them, from Kafka's names over the broker's defaults. */
export interface TopicSettings extends CompactionSettings {
  readonly maxMessageBytes: number;
  readonly segmentBytes: number;
  readonly segmentMs: number;
  /** Infinity: no bound. */
  readonly retentionMs: number;
  readonly retentionBytes: number;
  /** Groups that retention waits for, and the size of a partition up to which it does; Infinity: no bound. */
  readonly holdGroups: readonly string[];
  readonly holdBytes: number;
  /** False for compacted topics and for an empty policy: retention deletes nothing. */
  readonly deletes: boolean;
  readonly compacts: boolean;
  /** Never cut to make room on the disk: what it holds is true until its writer says otherwise. */
  readonly isKept: boolean;
  /** A batch that is not the last of so many records is acknowledged when it is written; 1: none. */
  readonly flushMessages: number;
  /** Written batches are synced within so long; Infinity: with others. */
  readonly flushMs: number;
  readonly logAppendTime: boolean;
  /** Infinity: no bound. */
  readonly timestampBeforeMaxMs: number;
  readonly timestampAfterMaxMs: number;
  /** The codec that batches are kept in; undefined keeps the producer's. */
  readonly codec: number | undefined;
}

/** Values were checked when they were set; what is no number counts as not set. */
export function topicSettings(
  configs: Readonly<Record<string, string>>,
  defaults: LogConfig,
  internal = false,
): TopicSettings {
  const policies = itemsOf(configs['cleanup.policy'] ?? 'delete');
  const compacts = policies.includes('compact');
  const maxCompactionLagMs = numberOf(configs['max.compaction.lag.ms'], Number.POSITIVE_INFINITY);
  const segmentMs = numberOf(configs['segment.ms'], defaults.segmentMs);
  return {
    maxMessageBytes: numberOf(configs['max.message.bytes'], defaults.maxMessageBytes),
    segmentBytes: numberOf(configs['segment.bytes'], defaults.segmentBytes),
    // The active segment is never cleaned, so it must be sealed before its records are overdue.
    segmentMs: compacts ? Math.min(segmentMs, maxCompactionLagMs) : segmentMs,
    retentionMs: unbounded(numberOf(configs['retention.ms'], defaults.retentionMs)),
    retentionBytes: unbounded(numberOf(configs['retention.bytes'], defaults.retentionBytes)),
    holdGroups: [...new Set(itemsOf(configs['retention.hold.groups'] ?? ''))],
    holdBytes: unbounded(numberOf(configs['retention.hold.bytes'], -1)),
    deletes: policies.includes('delete'),
    compacts,
    isKept: internal || compacts,
    minCleanableDirtyRatio: numberOf(configs['min.cleanable.dirty.ratio'], 0.5),
    minCompactionLagMs: numberOf(configs['min.compaction.lag.ms'], 0),
    maxCompactionLagMs,
    deleteRetentionMs: numberOf(configs['delete.retention.ms'], 24 * 3_600_000),
    ...flushSettings(internal ? {} : configs),
    logAppendTime: configs['message.timestamp.type'] === 'LogAppendTime',
    timestampBeforeMaxMs: endless(configs['message.timestamp.before.max.ms']),
    timestampAfterMaxMs: endless(configs['message.timestamp.after.max.ms']),
    codec: codecNumber(configs['compression.type']),
  };
}

function itemsOf(list: string): string[] {
  return list
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
}

/** Whoever sets neither wants what is acknowledged to be on the disk, unlike in Kafka. */
function flushSettings(
  configs: Readonly<Record<string, string>>,
): Pick<TopicSettings, 'flushMessages' | 'flushMs'> {
  const { 'flush.messages': messages, 'flush.ms': ms } = configs;
  const flushMs = endless(ms);
  const isStrict = (messages === undefined && ms === undefined) || flushMs === 0;
  return { flushMessages: isStrict ? 1 : endless(messages), flushMs };
}

function numberOf(value: string | undefined, otherwise: number): number {
  const number = Number(value);
  return value === undefined || value.trim() === '' || !Number.isFinite(number) ? otherwise : number;
}

/** Kafka writes "no bound" as -1. */
function unbounded(value: number): number {
  return value < 0 ? Number.POSITIVE_INFINITY : value;
}

/** Kafka writes "no bound" as the largest long. */
function endless(value: string | undefined): number {
  const number = numberOf(value, Number.POSITIVE_INFINITY);
  return number > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : number;
}

function codecNumber(type: string | undefined): number | undefined {
  const name = type === 'uncompressed' ? 'none' : type;
  return CODECS.find((codec) => codec.name === name)?.id;
}
