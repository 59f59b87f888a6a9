import type { LogConfig } from './config.ts';

/** A topic's settings as the log uses them, from Kafka's names over the broker's defaults. */
export interface TopicSettings {
  readonly maxMessageBytes: number;
  readonly segmentBytes: number;
  readonly segmentMs: number;
  /** Infinity: no bound. */
  readonly retentionMs: number;
  readonly retentionBytes: number;
  /** False for compacted topics and for an empty policy: retention deletes nothing. */
  readonly deletes: boolean;
  readonly compacts: boolean;
  /** Never cut to make room on the disk: what it holds is true until its writer says otherwise. */
  readonly isKept: boolean;
  readonly logAppendTime: boolean;
}

/** Values were checked when they were set; what is no number counts as not set. */
export function topicSettings(
  configs: Readonly<Record<string, string>>,
  defaults: LogConfig,
  internal = false,
): TopicSettings {
  const policies = (configs['cleanup.policy'] ?? 'delete').split(',').map((one) => one.trim());
  return {
    maxMessageBytes: numberOf(configs['max.message.bytes'], defaults.maxMessageBytes),
    segmentBytes: numberOf(configs['segment.bytes'], defaults.segmentBytes),
    segmentMs: numberOf(configs['segment.ms'], defaults.segmentMs),
    retentionMs: unbounded(numberOf(configs['retention.ms'], defaults.retentionMs)),
    retentionBytes: unbounded(numberOf(configs['retention.bytes'], defaults.retentionBytes)),
    deletes: policies.includes('delete'),
    compacts: policies.includes('compact'),
    isKept: internal || policies.includes('compact'),
    logAppendTime: configs['message.timestamp.type'] === 'LogAppendTime',
  };
}

function numberOf(value: string | undefined, otherwise: number): number {
  const number = Number(value);
  return value === undefined || value.trim() === '' || !Number.isFinite(number) ? otherwise : number;
}

/** Kafka writes "no bound" as -1. */
function unbounded(value: number): number {
  return value < 0 ? Number.POSITIVE_INFINITY : value;
}
