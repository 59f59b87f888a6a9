/** Is the pipeline keeping up, and for how long is what was not read yet safe? */
import { clickhouseQuery } from './clickhouse-query.ts';
import { dashboard } from './dashboard.ts';
import { type MetricSelection, gaugeSql, rateSql } from './metric-sql.ts';
import { stat, steps, timeSeries } from './panel.ts';
import { datasourceVariable } from './variable.ts';

// Our own telemetry is exported every 5 s; two samples an interval keep rates and lines free of holes.
const INTERVAL = '10s';

const TOPIC = ['topic', "Attributes['topic']"] as const;
const READER = ['reader', "concat(Attributes['group'], ' · ', Attributes['topic'])"] as const;
const SIGNALS = "startsWith(Attributes['topic'], 'otlp_')";

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
  from: 'now-15m',
  refresh: '10s',
  variables: [datasourceVariable()],
  sections: [
    {
      height: 4,
      panels: [
        stat({
          id: 1,
          title: 'Records in',
          description: 'Records appended per second to the telemetry topics (otlp_*), all partitions.',
          unit: 'short',
          decimals: 1,
          width: 4,
          interval: INTERVAL,
          targets: rate({ metric: 'kafka_topic_appended_records_total', where: SIGNALS }),
        }),
        stat({
          id: 2,
          title: 'Rows stored',
          description: 'Rows inserted into ClickHouse per second, all tables.',
          unit: 'short',
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
          title: 'Soonest expiry of unread data',
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
          id: 11,
          title: 'Records appended by topic',
          description:
            'Records per second that producers appended. One record carries many log lines or points.',
          unit: 'cps',
          width: 12,
          interval: INTERVAL,
          targets: rate({ metric: 'kafka_topic_appended_records_total', by: TOPIC }),
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
          id: 14,
          title: 'Rows stored by table',
          description: 'Rows per second that the sink inserted into ClickHouse.',
          unit: 'cps',
          width: 12,
          interval: INTERVAL,
          targets: rate({
            metric: 'millrace_sink_inserted_rows_total',
            by: ['table', "Attributes['table']"],
          }),
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
          description: 'Records between the committed position of a consumer group and the end of the topic.',
          unit: 'short',
          width: 12,
          interval: INTERVAL,
          targets: gauge({ metric: 'kafka_consumergroup_lag', by: READER }, 'sum'),
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
            'For each consumer group that is behind: time until retention deletes its oldest unread record. No line while it has read everything.',
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
          description: 'Records between the first and the last offset of all partitions.',
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
