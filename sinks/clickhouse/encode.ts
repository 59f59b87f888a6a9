/** From the value of a Kafka record to rows: what every encoder is given, and what it reports. */
import { SIGNAL_TOPICS } from '../../broker/records/topics.ts';
import { encodeLogs } from './encode-logs.ts';
import { encodeMetrics } from './encode-metrics.ts';
import { encodeSpans } from './encode-spans.ts';
import { type TableName, TABLES } from './layout.ts';
import type { RowBatches } from './row-batch.ts';
import type { TimeRule } from './row-time.ts';

export interface RecordPlace {
  /** Place of the record's source in the batches' list. */
  readonly source: number;
  readonly offset: number;
  /** When the broker appended it, ms since 1970. */
  readonly appendMs: number;
}

/** Counted per row: log records, data points or spans. */
export interface Encoded {
  kept: number;
  redated: number;
  expired: number;
}

/**
 * Adds the rows of one record to `batches`. A row's `_index` counts the log records, data points or spans of the
 * value in the order of the wire, expired ones too.
 * @throws OtlpError when the value is not OTLP: roll the batches back
 */
export type Encode = (
  value: Buffer,
  place: RecordPlace,
  rule: TimeRule,
  batches: RowBatches,
  counts: Encoded,
) => void;

export const ENCODERS: ReadonlyMap<string, Encode> = new Map([
  [SIGNAL_TOPICS.logs, encodeLogs],
  [SIGNAL_TOPICS.metrics, encodeMetrics],
  [SIGNAL_TOPICS.spans, encodeSpans],
]);

/** Where the rows of a topic's records can be. */
export const TOPIC_TABLES: ReadonlyMap<string, readonly TableName[]> = new Map<string, TableName[]>([
  [SIGNAL_TOPICS.logs, [TABLES.logs]],
  [SIGNAL_TOPICS.metrics, [TABLES.gauge, TABLES.sum, TABLES.histogram, TABLES.expHistogram, TABLES.summary]],
  [SIGNAL_TOPICS.spans, [TABLES.traces]],
]);
