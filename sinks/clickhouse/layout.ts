/** Names and partition columns of the tables: what migrations create, encoders fill and the in-doubt look reads. */
export const TABLES = {
  logs: 'otel_logs',
  gauge: 'otel_metrics_gauge',
  sum: 'otel_metrics_sum',
  histogram: 'otel_metrics_histogram',
  expHistogram: 'otel_metrics_exp_histogram',
  summary: 'otel_metrics_summary',
  traces: 'otel_traces',
} as const;

export type TableName = (typeof TABLES)[keyof typeof TABLES];

/** Which record a row came from; at the end of every table. */
export const SOURCE_COLUMNS = ['_origin', '_topic', '_partition', '_offset', '_index'] as const;
