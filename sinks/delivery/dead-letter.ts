import type { ConsumedRecord, ProduceRecord } from '../../broker/client/port.ts';
import { RECORD_BYTES_MAX } from '../../broker/records/headers.ts';
import type { RowBatch, Source } from '../clickhouse/row-batch.ts';

/** Headers of a record in `millrace.dlq`, beside those that it had. */
export const DEAD_LETTER_HEADERS = {
  /** One sentence: why it could not be stored. */
  reason: 'millrace.dlq.reason',
  topic: 'millrace.dlq.topic',
  partition: 'millrace.dlq.partition',
  offset: 'millrace.dlq.offset',
  /** Only for a single row that the table refused: its place in the record, the table, and the value's format. */
  index: 'millrace.dlq.index',
  table: 'millrace.dlq.table',
  format: 'millrace.dlq.format',
  /** The value's length when it had to be cut to fit a record. */
  truncatedFrom: 'millrace.dlq.truncated_from',
} as const;

const REASON_CHARS_MAX = 1000;

/** A record whose value is not what its topic promises: key, value and headers as they were. */
export function deadRecord(
  { origin: _origin, topic, partition }: Source,
  record: ConsumedRecord,
  reason: string,
): ProduceRecord {
  const headers = { ...record.headers, ...position(topic, partition, record.offset, reason) };
  return { key: record.key, ...fitting(record.value, headers) };
}

/**
 * A row that the table refused. Its value is the row's RowBinary, all columns in our order; the record is in the
 * source topic at the given offset for as long as the topic keeps it.
 */
export function deadRow(batch: RowBatch, row: number, source: Source, reason: string): ProduceRecord {
  const headers = {
    ...position(source.topic, source.partition, batch.offsetOf(row), reason),
    [DEAD_LETTER_HEADERS.index]: String(batch.indexOf(row)),
    [DEAD_LETTER_HEADERS.table]: batch.table,
    [DEAD_LETTER_HEADERS.format]: 'RowBinary',
  };
  // A copy: the batch's memory goes when its cut is done.
  return { key: null, ...fitting(Buffer.from(batch.slice(row, row + 1)), headers) };
}

function position(topic: string, partition: number, offset: number, reason: string): Record<string, string> {
  return {
    [DEAD_LETTER_HEADERS.reason]: reason.slice(0, REASON_CHARS_MAX),
    [DEAD_LETTER_HEADERS.topic]: topic,
    [DEAD_LETTER_HEADERS.partition]: String(partition),
    [DEAD_LETTER_HEADERS.offset]: String(offset),
  };
}

/** What does not fit a record is cut: a dead letter that cannot be sent would hold up its partition for ever. */
function fitting(
  value: Uint8Array | null,
  headers: Record<string, string | Uint8Array>,
): Pick<ProduceRecord, 'value' | 'headers'> {
  if (value === null || value.length <= RECORD_BYTES_MAX) return { value, headers };
  return {
    value: value.subarray(0, RECORD_BYTES_MAX),
    headers: { ...headers, [DEAD_LETTER_HEADERS.truncatedFrom]: String(value.length) },
  };
}
