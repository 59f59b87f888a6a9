import type { Metrics } from '../../broker/host/metrics.ts';

/** What the sink counts. */
export function createMeter(metrics: Metrics) {
  const counter = (name: string, help: string) => metrics.counter(`millrace_sink_${name}`, help);
  return {
    consumedRecords: counter('consumed_records_total', 'Records read from the topics, by topic.'),
    insertedRows: counter('inserted_rows_total', 'Rows acknowledged by ClickHouse, by table.'),
    insertedBytes: counter(
      'inserted_bytes_total',
      'Bytes of RowBinary acknowledged by ClickHouse, by table.',
    ),
    retries: counter(
      'retries_total',
      'Inserts, looks, sends and commits that failed and are repeated, by reason.',
    ),
    expired: counter(
      'expired_records_total',
      'Log records, points and spans older than the retention, not stored.',
    ),
    redated: counter('redated_records_total', 'Rows whose time was more than a day ahead and was replaced.'),
    deadLettered: counter(
      'dead_lettered_records_total',
      'Records and rows sent to the dead letter topic, by reason.',
    ),
    inDoubt: counter(
      'in_doubt_rows_total',
      'Rows found in a table by a look and not inserted again, by table.',
    ),
    repeated: counter('repeated_records_total', 'Records that the client handed over twice, skipped.'),
    insertSeconds: metrics.histogram(
      'millrace_sink_insert_duration_seconds',
      'From the start of an insert to its acknowledgement, by table.',
      [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    ),
    batchRows: metrics.histogram(
      'millrace_sink_batch_rows',
      'Rows of an insert, by table.',
      [1, 10, 100, 1_000, 5_000, 10_000, 25_000, 50_000, 100_000],
    ),
    lag: metrics.gauge('millrace_sink_lag_records', 'Records of a topic not yet read, when last told.'),
    inFlight: metrics.gauge('millrace_sink_in_flight_bytes', 'Encoded rows in memory, not yet committed.'),
  };
}

export type Meter = ReturnType<typeof createMeter>;
