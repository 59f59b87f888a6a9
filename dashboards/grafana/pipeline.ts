/** Is the pipeline keeping up, and for how long is what was not read yet safe? */
import { clickhouseQuery } from './clickhouse-query.ts';
import { dashboard } from './dashboard.ts';
import { type MetricSelection, gaugeSql, rateSql } from './metric-sql.ts';
import { stat, steps, timeSeries } from './panel.ts';
import { datasourceVariable } from './variable.ts';

// Our own telemetry is exported every 5 s, all series in one request: no interval holds some without the others.
const INTERVAL = '5s';

const TOPIC = ['topic', "Attributes['topic']"] as const;
const SERVICE = ['service', "Attributes['service']"] as const;
const READER = ['reader', "concat(Attributes['group'], ' · ', Attributes['topic'])"] as const;

/** Whatever did not go through, each counter with the name that says who and why. */
const LOSSES = [
  'kafka_consumergroup_expired_unread_records_total',
  'millrace_agent_dropped_records_total',
  'millrace_collector_refused_requests_total',
  'millrace_collector_rejected_records_total',
  'millrace_collector_truncated_records_total',
  'millrace_sink_dead_lettered_records_total',
  'millrace_sink_expired_records_total',
  'millrace_metrics_dropped_series_total',
  'millrace_telemetry_dropped_lines_total',
  'millrace_up_dropped_lines_total',
  'millrace_web_tail_dropped_lines_total',
] as const;
const LOSS = [
  'what',
  `concat(
    replaceRegexpOne(MetricName, '^(?:millrace|kafka)_(\\w+?)_total$', '\\1'),
    if(Attributes['reason'] = '', '', concat(': ', Attributes['reason'])))`,
] as const;

/** Only what moved within the range: counters that stand still are good news, and would be the whole legend. */
const LOSSES_SQL = `SELECT time, what, Value
FROM (
SELECT time, what, Value, max(Value) OVER (PARTITION BY what) AS most
FROM (
${rateSql({ metric: LOSSES, by: LOSS, service: 'millrace' })}
)
)
WHERE most > 0
ORDER BY time`;

function rate(selection: Omit<MetricSelection, 'service'>) {
  return [clickhouseQuery('timeseries', rateSql({ ...selection, service: 'millrace' }))];
}

function gauge(selection: Omit<MetricSelection, 'service'>, aggregate: 'max' | 'min' | 'sum') {
  return [clickhouseQuery('timeseries', gaugeSql({ ...selection, service: 'millrace' }, aggregate))];
}

export const pipeline = dashboard({
  uid: 'millrace-pipeline',
  title: 'Pipeline',
  description: 'Throughput, consumer lag and retention of the Millrace pipeline, by its own telemetry.',
  tags: ['millrace', 'kafka'],
  from: 'now-5m',
  refresh: '5s',
  variables: [datasourceVariable()],
  sections: [
    {
      height: 4,
      panels: [
        stat({
          id: 1,
          title: 'Records accepted',
          description:
            'Log records, metric points and spans that the collector acknowledged, per second. Each is on disk in the broker.',
          unit: 'recps',
          decimals: 1,
          width: 4,
          interval: INTERVAL,
          targets: rate({ metric: 'millrace_collector_accepted_records_total' }),
        }),
        stat({
          id: 2,
          title: 'Rows stored',
          description: 'Rows inserted into ClickHouse per second, all tables.',
          unit: 'rowsps',
          decimals: 1,
          width: 4,
          interval: INTERVAL,
          targets: rate({ metric: 'millrace_sink_inserted_rows_total' }),
        }),
        stat({
          id: 3,
          title: 'Longest lag',
          description:
            'Age of the oldest record that a consumer group has not read yet. A rising line means that a reader does not keep up or has stopped.',
          unit: 's',
          noValue: 'nothing unread',
          width: 4,
          interval: INTERVAL,
          thresholds: steps(['green'], ['orange', 30], ['red', 300]),
          targets: gauge({ metric: 'kafka_consumergroup_lag_seconds' }, 'max'),
        }),
        stat({
          id: 4,
          title: 'Unread expires in',
          description:
            'Time until retention deletes the first record that a consumer group has not read yet. At zero, data is lost unread.',
          unit: 's',
          noValue: 'nothing unread',
          width: 4,
          interval: INTERVAL,
          thresholds: steps(['red'], ['orange', 3_600], ['green', 86_400]),
          targets: gauge({ metric: 'kafka_consumergroup_unread_expiry_seconds' }, 'min'),
        }),
        stat({
          id: 6,
          title: 'Alerts firing',
          description: 'Alerts of the rule files that fire now; which ones, the Alerts page tells.',
          unit: 'short',
          noValue: '0',
          width: 4,
          interval: INTERVAL,
          thresholds: steps(['green'], ['red', 1]),
          targets: gauge(
            { metric: 'millrace_alerts_alerts', where: "Attributes['state'] = 'firing'" },
            'sum',
          ),
        }),
        stat({
          id: 5,
          title: 'Memory',
          description: 'Resident memory of all parts together.',
          unit: 'bytes',
          width: 4,
          interval: INTERVAL,
          targets: gauge({ metric: 'process_resident_memory_bytes' }, 'sum'),
        }),
      ],
    },
    {
      title: 'Throughput',
      id: 10,
      height: 8,
      panels: [
        timeSeries({
          id: 15,
          title: 'Records accepted by signal',
          description:
            'Log records, metric points and spans per second that the collector acknowledged: each is on disk in the broker by then.',
          unit: 'recps',
          width: 12,
          interval: INTERVAL,
          targets: rate({
            metric: 'millrace_collector_accepted_records_total',
            by: ['signal', "Attributes['signal']"],
          }),
        }),
        timeSeries({
          id: 14,
          title: 'Rows stored by table',
          description: 'Rows per second that the sink inserted into ClickHouse.',
          unit: 'rowsps',
          width: 12,
          interval: INTERVAL,
          targets: rate({
            metric: 'millrace_sink_inserted_rows_total',
            by: ['table', "Attributes['table']"],
          }),
        }),
        timeSeries({
          id: 12,
          title: 'Bytes appended by topic',
          description: 'Bytes per second that producers appended, as compressed on disk.',
          unit: 'Bps',
          width: 12,
          interval: INTERVAL,
          targets: rate({ metric: 'kafka_topic_appended_bytes_total', by: TOPIC }),
        }),
        timeSeries({
          id: 13,
          title: 'Bytes fetched by topic',
          description: 'Bytes per second sent to consumers, all groups and readers together.',
          unit: 'Bps',
          width: 12,
          interval: INTERVAL,
          targets: rate({ metric: 'kafka_topic_fetched_bytes_total', by: TOPIC }),
        }),
        timeSeries({
          id: 11,
          title: 'Kafka records appended by topic',
          description:
            'Records of the log per second that producers appended. One carries many log lines or metric points.',
          unit: 'recps',
          width: 12,
          interval: INTERVAL,
          targets: rate({ metric: 'kafka_topic_appended_records_total', by: TOPIC }),
        }),
        timeSeries({
          id: 17,
          title: 'Records by service',
          description:
            'Log records, metric points and spans per second by the service that sent them, all topics together. The first 200 services; others share one line.',
          unit: 'recps',
          width: 12,
          interval: INTERVAL,
          targets: rate({ metric: 'millrace_collector_service_records_total', by: SERVICE }),
        }),
        timeSeries({
          id: 18,
          title: 'Bytes by service',
          description: 'Bytes per second by the service that sent them, as protobuf before compression.',
          unit: 'Bps',
          width: 12,
          interval: INTERVAL,
          targets: rate({ metric: 'millrace_collector_service_bytes_total', by: SERVICE }),
        }),
        timeSeries({
          id: 16,
          title: 'Refused, rejected, dropped',
          description:
            'What did not go through, per second, by the counter that says where and why. Refused requests are sent again by their sender; everything else is lost to the tables.',
          unit: 'cps',
          noValue: 'nothing was refused or dropped',
          width: 12,
          interval: INTERVAL,
          targets: [clickhouseQuery('timeseries', LOSSES_SQL)],
        }),
      ],
    },
    {
      title: 'Consumer lag',
      id: 20,
      height: 8,
      panels: [
        timeSeries({
          id: 21,
          title: 'Lag in records',
          description:
            'Records between the committed position of a consumer group and the end of the topic. Markers of transactions and what compaction removed do not count.',
          unit: 'short',
          width: 12,
          interval: INTERVAL,
          targets: gauge({ metric: 'kafka_consumergroup_lag_sum', by: READER }, 'max'),
        }),
        timeSeries({
          id: 22,
          title: 'Lag in seconds',
          description: 'Age of the oldest record that the consumer group has not read yet.',
          unit: 's',
          width: 12,
          interval: INTERVAL,
          targets: gauge({ metric: 'kafka_consumergroup_lag_seconds', by: READER }, 'max'),
        }),
        timeSeries({
          id: 23,
          title: 'Lag in bytes',
          description: 'Stored bytes of the batches that the consumer group has not read yet.',
          unit: 'bytes',
          width: 12,
          interval: INTERVAL,
          targets: gauge({ metric: 'kafka_consumergroup_lag_bytes', by: READER }, 'max'),
        }),
        timeSeries({
          id: 24,
          title: 'Trend of the lag',
          description:
            'Records per second by which the lag grows, over the last five minutes. Above zero the group falls behind, below it catches up. A new line begins half a minute after a start.',
          unit: 'recps',
          width: 12,
          interval: INTERVAL,
          targets: gauge({ metric: 'kafka_consumergroup_lag_change', by: READER }, 'max'),
        }),
      ],
    },
    {
      title: 'Retention',
      id: 30,
      height: 8,
      panels: [
        timeSeries({
          id: 31,
          title: 'Retention used',
          description:
            'How full the fullest partition is, by size or by age, whichever is nearer to its limit. At 100 % the oldest records are deleted as new ones arrive.',
          unit: 'percentunit',
          width: 12,
          max: 1,
          interval: INTERVAL,
          targets: gauge({ metric: 'kafka_topic_retention_used_ratio', by: TOPIC }, 'max'),
        }),
        timeSeries({
          id: 32,
          title: 'Time until unread data expires',
          description:
            'For each consumer group that is behind: time until retention deletes its oldest unread record, by age, size or the disk bound, whichever comes first. No line while it has read everything.',
          unit: 's',
          noValue: 'nothing unread',
          width: 12,
          interval: INTERVAL,
          targets: gauge({ metric: 'kafka_consumergroup_unread_expiry_seconds', by: READER }, 'min'),
        }),
        timeSeries({
          id: 33,
          title: 'Size on disk by topic',
          description: 'Bytes of all segments of all partitions.',
          unit: 'bytes',
          width: 12,
          interval: INTERVAL,
          targets: gauge({ metric: 'kafka_topic_size_bytes', by: TOPIC }, 'max'),
        }),
        timeSeries({
          id: 34,
          title: 'Records kept by topic',
          description: 'Records in all partitions; markers of transactions do not count.',
          unit: 'short',
          width: 12,
          interval: INTERVAL,
          targets: gauge({ metric: 'kafka_topic_records', by: TOPIC }, 'max'),
        }),
      ],
    },
    {
      title: 'Parts',
      id: 40,
      height: 8,
      panels: [
        timeSeries({
          id: 41,
          title: 'Resident memory by part',
          description: 'Memory that the kernel holds for each process of the pipeline.',
          unit: 'bytes',
          width: 12,
          interval: INTERVAL,
          targets: gauge(
            { metric: 'process_resident_memory_bytes', by: ['part', "Attributes['part']"] },
            'max',
          ),
        }),
        timeSeries({
          id: 42,
          title: 'CPU by part',
          description: 'Processor cores that each process of the pipeline uses: 1 is one whole core.',
          unit: 'short',
          decimals: 2,
          width: 12,
          interval: INTERVAL,
          targets: rate({ metric: 'process_cpu_seconds_total', by: ['part', "Attributes['part']"] }),
        }),
      ],
    },
  ],
});
